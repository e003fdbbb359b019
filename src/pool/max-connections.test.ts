import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxConnectionsPerProxy } from './max-connections.ts';

describe('maxConnectionsPerProxy', () => {
  const weights = new Map([
    ['a', 64],
    ['b', 256],
    ['c', 26],
  ]);
  const named = ['a', 'b', 'c'].map((name) => ({ name, capacity: undefined }));

  it('gives the largest backend the default and the others their part', () => {
    expect([...maxConnectionsPerProxy(named, weights, 1).values()]).toEqual([250, 1_000, 102]);
  });

  it('goes by what the largest backend says it can hold', () => {
    const stated = named.map((backend) => (backend.name === 'b' ? { ...backend, capacity: { maxConnections: 512 } } : backend));
    expect([...maxConnectionsPerProxy(stated, weights, 1).values()]).toEqual([128, 512, 52]);
  });

  it('lets a backend speak for itself', () => {
    const stated = named.map((backend) => (backend.name === 'a' ? { ...backend, capacity: { maxConnections: 7 } } : backend));
    expect(maxConnectionsPerProxy(stated, weights, 1).get('a')).toBe(7);
  });

  it('splits each figure over the proxies, rounded up, and never down to none', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 0, max: 256 }),
        (proxies, most, weight) => {
          const limits = maxConnectionsPerProxy(
            [
              { name: 'big', capacity: { maxConnections: most } },
              { name: 'small', capacity: undefined },
            ],
            new Map([
              ['big', 256],
              ['small', weight],
            ]),
            proxies,
          );
          expect(limits.get('big')).toBe(Math.ceil(most / proxies));
          expect(limits.get('small')).toBeGreaterThanOrEqual(1);
          expect((limits.get('big') ?? 0) * proxies).toBeGreaterThanOrEqual(most);
        },
      ),
    );
  });
});
