import * as z from 'zod';
import { DURATION_PATTERN, durationMs } from '../../runtime/duration.ts';

/** RFC 1123 label: what Kubernetes and HAProxy both accept as a name. */
export const LABEL_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

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

/** An object of Kubernetes' own that is handed through as it is; the API server checks it where it is used. */
export function passThrough(description: string) {
  return z
    .record(z.string(), z.unknown(), { error: 'expected an object' })
    .meta({ description, 'x-kubernetes-preserve-unknown-fields': true });
}

/** Schema of a TCP port. */
export function port(description: string) {
  return integer(1, 65_535, description);
}
