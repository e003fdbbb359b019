import { describe, expect, it } from 'vitest';
import { NamespaceBudget } from './namespace-budget.ts';

describe('NamespaceBudget', () => {
  it('bounds what is kept for each namespace by itself', () => {
    const budget = new NamespaceBudget(100);
    expect([budget.take('a', 'x', 60), budget.take('a', 'y', 60), budget.take('b', 'y', 60)]).toEqual([true, false, true]);
  });

  it('counts a thing once, by its last size, and not once it is gone or has no room', () => {
    const budget = new NamespaceBudget(100);
    expect([budget.take('a', 'x', 60), budget.take('a', 'x', 100), budget.take('a', 'x', 101), budget.take('a', 'y', 100)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    budget.release('a', 'y');
    budget.release('a', 'never there');
    expect(budget.take('a', 'z', 100)).toBe(true);
  });
});
