import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationMs, durationText } from './duration.ts';

describe('durationMs', () => {
  it('reads every unit', () => {
    expect(['500ms', '10s', '30m', '1h'].map(durationMs)).toEqual([500, 10_000, 1_800_000, 3_600_000]);
  });

  it('throws for what the schema would have refused', () => {
    for (const text of ['', '10', '1.5s', '-1s', '10s\n', '1m30s', '10 s']) expect(() => durationMs(text)).toThrow(RangeError);
  });
});

describe('durationText', () => {
  it('is read back as the same duration', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 999_999_999 }), (ms) => durationMs(durationText(ms)) === ms));
  });

  it('is as short as can be', () => {
    expect([0, 1_500, 90_000, 1_800_000].map(durationText)).toEqual(['0ms', '1500ms', '90s', '30m']);
  });
});
