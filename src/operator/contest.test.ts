import { describe, expect, it } from 'vitest';
import { type Applied, afterApply, contestWaitMs } from './contest.ts';

describe('an object that something else keeps changing', () => {
  it('is put back at once the first time, then more and more slowly, up to a minute', () => {
    let applied: Applied | undefined;
    const waits: number[] = [];
    let now = 0;
    for (let round = 0; round < 10; round += 1) {
      const waitMs = contestWaitMs(applied, 'x', now, 0.5);
      waits.push(waitMs);
      now += waitMs;
      applied = afterApply(applied, 'x', now);
    }
    expect(waits).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('is put back at once when its content is another, or after two quiet minutes', () => {
    const applied = afterApply({ content: 'x', times: 5, at: 0 }, 'x', 0);
    expect(contestWaitMs(applied, 'x', 0, 0.5)).toBeGreaterThan(0);
    expect(contestWaitMs(applied, 'y', 0, 0.5)).toBe(0);
    expect(contestWaitMs(applied, 'x', 120_001, 0.5)).toBe(0);
    expect(afterApply(applied, 'x', 120_001).times).toBe(1);
  });
});
