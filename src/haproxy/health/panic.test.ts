import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, poolHealth } from './panic.ts';
import type { FailureKind } from './server-health.ts';

function server(name: string, cause: FailureKind | null, more: Partial<Candidate> = {}): Candidate {
  return { name, weight: 100, verdict: cause === null ? 'up' : 'out', cause, since: 0, ...more };
}

describe('poolHealth', () => {
  it('finds nothing to panic about while one of two or three is away', () => {
    expect(poolHealth([server('a', 'unreachable'), server('b', null)])).toEqual({ kept: new Set(), lost: [] });
    expect(poolHealth([server('a', 'silent'), server('b', null), server('c', null)]).lost).toEqual([]);
  });

  it('panics when more than half of the capacity stops answering within a minute', () => {
    const two = [server('a', 'unreachable'), server('b', 'unreachable', { since: 59_000 }), server('c', null)];
    expect(poolHealth(two)).toEqual({ kept: new Set(), lost: ['a', 'b'] });
    const slowly = [server('a', 'unreachable'), server('b', 'unreachable', { since: 61_000 }), server('c', null)];
    expect(poolHealth(slowly).lost).toEqual([]);
  });

  it('does not forget what was lost together when another server goes later', () => {
    const together = [server('a', 'silent'), server('b', 'silent', { since: 900 }), server('c', 'silent', { since: 500 })];
    const later = server('d', 'silent', { since: 90_000 });
    expect(poolHealth([...together, later, server('e', null)]).lost).toEqual(['a', 'b', 'c']);
  });

  it('keeps a server in rotation that serves its sessions and ignores new ones, where no other answers', () => {
    expect(poolHealth([server('a', 'ignored'), server('b', 'unreachable')]).kept).toEqual(new Set(['a', 'b']));
  });

  it('goes by capacity and not by heads', () => {
    const small = [server('a', 'silent', { weight: 10 }), server('b', 'silent', { weight: 10 }), server('c', null, { weight: 100 })];
    expect(poolHealth(small).lost).toEqual([]);
  });

  it('keeps servers in rotation that do not answer where none does, and never one that was reached', () => {
    const outage = [server('a', 'unreachable'), server('b', 'silent'), server('c', 'refused'), server('d', 'closed')];
    expect(poolHealth(outage).kept).toEqual(new Set(['a', 'b']));
    expect(poolHealth([server('a', 'refused'), server('b', 'closed')])).toEqual({ kept: new Set(), lost: [] });
  });

  it('sends no session where it is not known to answer while another one answers, and has no panic without two', () => {
    const any = fc.record({
      verdict: fc.constantFrom('up' as const, 'out' as const, 'joining' as const),
      cause: fc.constantFrom<FailureKind | null>('refused', 'closed', 'silent', 'unreachable', 'ignored', 'unserved', null),
      weight: fc.integer({ min: 0, max: 256 }),
      since: fc.nat(200_000),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (list) => {
        const servers = list.map((each, index) => ({ ...each, name: `s${index}` }));
        const { kept, lost } = poolHealth(servers);
        if (servers.some(({ verdict }) => verdict === 'up')) expect(kept.size).toBe(0);
        expect(lost.length).not.toBe(1);
      }),
    );
  });
});
