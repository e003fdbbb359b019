import { describe, expect, it } from 'vitest';
import { WorkerTotals } from './worker-totals.ts';

describe('WorkerTotals', () => {
  it('give what was added since the last reading', () => {
    const totals = new WorkerTotals();
    totals.begin(1);
    expect([5, 5, 9].map((total) => totals.rise('a', total))).toEqual([5, 0, 4]);
    expect(totals.rise('b', 2)).toBe(2);
  });

  it('never fall: another worker begins again at 0', () => {
    const totals = new WorkerTotals();
    totals.begin(1);
    totals.rise('a', 7);
    expect(totals.rise('a', 3)).toBe(0);
    totals.begin(2);
    expect(totals.rise('a', 2)).toBe(2);
  });
});
