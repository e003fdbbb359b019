import { describe, expect, it } from 'vitest';
import type { Capacity, Role } from '../api/v1alpha1/index.ts';
import { serverLimits } from './server-limits.ts';

interface Row {
  readonly name: string;
  readonly capacity?: Capacity;
  readonly role?: Role;
}

const weights = new Map([
  ['a', 64],
  ['b', 256],
  ['c', 26],
  ['d', 3],
]);
const limits = (...rows: Row[]) =>
  serverLimits(
    rows.map(({ capacity, name, role = 'Active' }) => ({ name, capacity, role })),
    weights,
  );

describe('serverLimits', () => {
  it('gives the largest backend the default and the others their part', () => {
    expect([...limits({ name: 'a' }, { name: 'b' }, { name: 'c' }).values()]).toEqual([250, 1_000, 102]);
  });

  it('goes by what the largest backend says it can hold, and lets each speak for itself', () => {
    const rows = [{ name: 'a', capacity: { maxConnections: 7 } }, { name: 'b', capacity: { maxConnections: 512 } }, { name: 'c' }];
    expect([...limits(...rows).values()]).toEqual([7, 512, 52]);
  });

  it('derives no limit below a tenth of the largest: a weak server is served last, and still gets sessions', () => {
    expect(limits({ name: 'b' }, { name: 'd' }).get('d')).toBe(100);
  });

  it('derives a Backup’s from its cores and cards, not from the latency that made it a Backup', () => {
    const far = { cores: 4, cards: 8, latencyMs: 250 };
    const near = { cores: 4, cards: 8, latencyMs: 1 };
    expect(limits({ name: 'b', capacity: near }, { name: 'd', capacity: far, role: 'Backup' }).get('d')).toBe(1_000);
    const half = { cores: 2, cards: 8, latencyMs: 250 };
    expect(limits({ name: 'b', capacity: near }, { name: 'd', capacity: half, role: 'Backup' }).get('d')).toBe(500);
    expect(limits({ name: 'b' }, { name: 'd', role: 'Backup' }).get('d')).toBe(1_000);
  });

  it('keeps the sessions of a server of weight 0', () => {
    expect(serverLimits([{ name: 'x', capacity: undefined, role: 'Active' }], new Map([['x', 0]])).get('x')).toBe(1_000);
  });
});
