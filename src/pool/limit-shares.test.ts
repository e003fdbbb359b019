import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitShares, type ShareHolder } from './limit-shares.ts';

const NONE: ReadonlyMap<string, number> = new Map();

function proxy(name: string, changes: Partial<ShareHolder> = {}): ShareHolder {
  return { name, holds: 0, mayHold: 0, demand: 0, staying: true, ...changes };
}

/** Runs until nothing changes any more, as proxies that do at once what they are asked for. */
function settled(total: number, holders: readonly Omit<ShareHolder, 'mayHold'>[], before: ReadonlyMap<string, number>) {
  let shares = before;
  for (let round = 0; round < 4; round += 1) {
    shares = limitShares(
      total,
      holders.map((holder) => ({ ...holder, mayHold: shares.get(holder.name) ?? 0 })),
      shares,
    );
  }
  return shares;
}

describe('limitShares', () => {
  it('divides evenly while there is no session', () => {
    expect([...limitShares(1_000, [proxy('a'), proxy('b')], NONE)]).toEqual([
      ['a', 500],
      ['b', 500],
    ]);
  });

  it('follows the clients where one proxy gets them all', () => {
    const holders = [proxy('a', { holds: 500, demand: 500 }), proxy('b')];
    const shares = settled(1_000, holders, limitShares(1_000, [proxy('a'), proxy('b')], NONE));
    expect(shares.get('a')).toBe(975);
    expect(shares.get('b')).toBe(25);
  });

  it('lets a share grow only by what the others have let go', () => {
    const before = new Map([
      ['a', 500],
      ['b', 500],
    ]);
    const holders = [proxy('a', { holds: 500, mayHold: 500, demand: 500 }), proxy('b', { mayHold: 500 })];
    expect([...limitShares(1_000, holders, before).values()]).toEqual([500, 25]);
  });

  it('counts a proxy that does not answer with what it was given last', () => {
    const before = new Map([
      ['a', 500],
      ['b', 500],
    ]);
    const holders = [proxy('a', { holds: 500, mayHold: 500, demand: 500 }), proxy('b', { mayHold: null })];
    expect(limitShares(1_000, holders, before).get('a')).toBe(500);
  });

  it('changes nothing while every proxy has room enough', () => {
    const before = new Map([
      ['a', 500],
      ['b', 500],
    ]);
    const holders = [proxy('a', { holds: 200, mayHold: 500, demand: 200 }), proxy('b', { holds: 100, mayHold: 500, demand: 100 })];
    expect(limitShares(1_000, holders, before)).toEqual(before);
  });

  it('gives the places of a proxy that ends to the others as its sessions leave', () => {
    const before = new Map([
      ['a', 500],
      ['b', 500],
    ]);
    const holders = [
      proxy('a', { holds: 400, mayHold: 400, demand: 400, staying: false }),
      proxy('b', { holds: 400, mayHold: 500, demand: 400 }),
    ];
    expect([...limitShares(1_000, holders, before).values()]).toEqual([400, 600]);
  });

  it('never lets all proxies together hold more than the server can, whatever comes and however late they follow', () => {
    const step = fc.record({ proxy: fc.nat(3), arrive: fc.nat(400), leave: fc.nat(200), follows: fc.boolean(), ends: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(step, { maxLength: 40 }), (total, steps) => {
        const names = ['a', 'b', 'c', 'd'];
        const runs = new Map(names.map((name) => [name, 0]));
        const holds = new Map(names.map((name) => [name, 0]));
        const terminating = new Set<string>();
        let shares: ReadonlyMap<string, number> = new Map();
        for (const { arrive, ends, follows, leave, proxy: index } of steps) {
          const name = names[index] ?? 'a';
          if (ends) terminating.add(name);
          shares = limitShares(
            total,
            names.map((each) => ({
              name: each,
              holds: holds.get(each) ?? 0,
              mayHold: Math.max(runs.get(each) ?? 0, holds.get(each) ?? 0),
              demand: holds.get(each) ?? 0,
              staying: !terminating.has(each),
            })),
            shares,
          );
          if (follows) runs.set(name, shares.get(name) ?? 0);
          const left = Math.max(0, (holds.get(name) ?? 0) - leave);
          holds.set(name, Math.max(left, Math.min(left + arrive, runs.get(name) ?? 0)));
          expect([...holds.values()].reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(total);
          expect([...shares.values()].reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(total);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
