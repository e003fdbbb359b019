/** Whole-string grammar of a duration: digits and one unit. Both anchors, no flags: the same text serves JavaScript and the CRD's RE2. */
export const DURATION_PATTERN = /^[0-9]{1,9}(ms|s|m|h)$/;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * A duration such as `500ms`, `10s`, `30m` or `1h` in milliseconds.
 *
 * @throws RangeError when the text does not follow the grammar
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
