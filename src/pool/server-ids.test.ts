import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignIds } from './server-ids.ts';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 30 });

describe('assignIds', () => {
  it('gives a replacement the id that its predecessor left', () => {
    const first = assignIds(new Map(), ['a', 'b', 'c']);
    const without = new Map([...first].filter(([name]) => name !== 'b'));
    expect(assignIds(without, ['a', 'd', 'c']).get('d')).toBe(2);
  });

  it('never gives one id twice, and never changes one that is known', () => {
    fc.assert(
      fc.property(names, names, (before, after) => {
        const known = assignIds(new Map(), before);
        const ids = assignIds(known, after);
        expect(new Set(ids.values()).size).toBe(ids.size);
        for (const [name, id] of known) expect(ids.get(name)).toBe(id);
        for (const name of after) expect(ids.get(name)).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('stays as small as the largest crowd of servers, however many come and go', () => {
    fc.assert(
      fc.property(fc.array(names, { maxLength: 20 }), (rounds) => {
        let known: ReadonlyMap<string, number> = new Map();
        let crowd = 0;
        for (const round of rounds) {
          crowd = Math.max(crowd, round.length);
          known = assignIds(new Map([...known].filter(([name]) => round.includes(name))), round);
        }
        for (const id of known.values()) expect(id).toBeLessThanOrEqual(crowd);
      }),
    );
  });
});
