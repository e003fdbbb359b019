import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace } from './pace.ts';

describe('Pace', () => {
  it('hands out the set number per second, however often it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 5, maxLength: 60 }),
        (perSecond, gaps) => {
          const pace = new Pace();
          let now = 0;
          let taken = pace.take(perSecond, now);
          for (const gap of gaps) {
            now += gap;
            taken += pace.take(perSecond, now);
          }
          expect(taken).toBeLessThanOrEqual(1 + (now * perSecond) / 1_000 + 1e-6);
          expect(taken).toBeGreaterThanOrEqual(Math.floor((now * perSecond) / 1_000) - 1);
        },
      ),
    );
  });

  it('never hands out more than a second’s worth at once, after a long sleep neither', () => {
    const pace = new Pace();
    pace.take(20, 0);
    expect(pace.take(20, 60_000)).toBe(20);
  });
});
