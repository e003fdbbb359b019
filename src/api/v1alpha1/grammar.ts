import * as z from 'zod';

/** Whole-string grammar of a duration: digits and one unit. Both anchors, no flags: the same text serves JavaScript and the CRD's RE2. */
export const DURATION_PATTERN = /^[0-9]{1,9}(ms|s|m|h)$/;
/** RFC 1123 label: what Kubernetes and HAProxy both accept as a name. */
export const LABEL_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * A duration such as `500ms`, `10s`, `30m` or `1h` in milliseconds.
 *
 * @throws RangeError when the text does not follow the grammar; the schema has refused such a text before
 */
export function durationMs(text: string): number {
  const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(text);
  if (match === null) throw new RangeError('a duration is digits and one of ms, s, m, h');
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** The shortest text for a number of milliseconds: 1800000 → `30m`. */
export function durationText(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms > 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

/** A CEL rule of the CRD: what the API server checks beyond the structure. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

/** Schema annotations that carry CEL rules into the generated CRD. */
export function celRules(...rules: readonly CelRule[]): { 'x-kubernetes-validations': readonly CelRule[] } {
  return { 'x-kubernetes-validations': rules };
}

/** Schema of a duration within [`min`, `max`] (both duration texts); the CRD checks the same bounds by CEL. */
export function duration(min: string, max: string, description: string) {
  const expected = `expected a duration from ${min} to ${max}, such as ${min}`;
  return z
    .string({ error: expected })
    .regex(DURATION_PATTERN, { error: `${expected}: digits and one of ms, s, m, h` })
    .refine((text) => !DURATION_PATTERN.test(text) || within(text, min, max), { error: expected })
    .meta({
      description: `${description} A duration from ${min} to ${max}.`,
      maxLength: 11,
      ...celRules({ rule: `duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`, message: expected }),
    });
}

function within(text: string, min: string, max: string): boolean {
  const ms = durationMs(text);
  return ms >= durationMs(min) && ms <= durationMs(max);
}

/** Schema of a whole number within [`min`, `max`]. */
export function integer(min: number, max: number, description: string) {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .int({ error: expected })
    .min(min, { error: expected })
    .max(max, { error: expected })
    .meta({ description: `${description} From ${min} to ${max}.` });
}

/** Schema of an RFC 1123 label of at most `maxLength` characters. */
export function label(maxLength: number, description: string) {
  const expected = `expected a name of 1 to ${maxLength} lower-case letters, digits and dashes that begins and ends with a letter or digit`;
  return z
    .string({ error: expected })
    .min(1, { error: expected })
    .max(maxLength, { error: expected })
    .regex(LABEL_PATTERN, { error: expected })
    .meta({ description });
}

/** Schema of one of a few CamelCase words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words, description: string) {
  return z.enum(words, { error: `expected one of ${words.join(', ')}` }).meta({ description });
}
