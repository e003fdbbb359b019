import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('backoffMs', () => {
  it('doubles from the first delay up to the cap', () => {
    const exact = { firstMs: 5, capMs: 1_000, jitter: 0 };
    expect([1, 2, 3, 9, 500].map((failures) => backoffMs(exact, failures, 0.5))).toEqual([5, 10, 20, 1_000, 1_000]);
  });

  it('stays within its spread, whatever chance says', () => {
    const spread = { firstMs: 5, capMs: 1_000, jitter: 0.2 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        const delay = backoffMs(spread, failures, random);
        const middle = Math.min(5 * 2 ** Math.min(failures - 1, 30), 1_000);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(0.8 * middle));
        expect(delay).toBeLessThanOrEqual(Math.ceil(1.2 * middle));
      }),
    );
  });

  it('has no delay for what has not failed', () => {
    expect(() => backoffMs({ firstMs: 1, capMs: 1, jitter: 0 }, 0, 0)).toThrow(RangeError);
  });
});
