import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBackend, aPool } from '../../test/fakes/pools.ts';
import type { PoolSpec } from '../api/v1alpha1/index.ts';
import type { SessionCount } from './drain.ts';
import type { PodFacts } from './pod-facts.ts';
import { proxyModel } from './proxy-model.ts';
import { type Roster, nextRoster as rosterOf } from './roster.ts';

const UNKNOWN: ReadonlyMap<string, SessionCount> = new Map();
const EMPTY = { sessions: 0, counted: true, outOfRotation: true };

function nextRoster(
  spec: PoolSpec,
  previous: Roster,
  counts: ReadonlyMap<string, SessionCount>,
  ...[now, pods = []]: readonly [now: number, pods?: readonly PodFacts[]]
): Roster {
  return rosterOf({ spec, previous, counts, pods }, now);
}

function specOf(...backends: Record<string, unknown>[]): PoolSpec {
  return aPool({ backends }).spec;
}

const a = aBackend('a', '127.0.1.1');
const b = aBackend('b', '127.0.1.2');

describe('nextRoster', () => {
  it('lets a server that was taken out drain until it was seen empty', () => {
    const both = nextRoster(specOf(a, b), [], UNKNOWN, 0);
    const draining = nextRoster(specOf(a), both, UNKNOWN, 1_000);
    expect(draining.map((entry) => [entry.name, entry.drain.kind])).toEqual([
      ['a-127.0.1.1:12001', 'active'],
      ['b-127.0.1.2:12001', 'draining'],
    ]);
    const busy = nextRoster(
      specOf(a),
      draining,
      new Map([['b-127.0.1.2:12001', { sessions: 1, counted: true, outOfRotation: true }]]),
      2_000,
    );
    expect(busy).toEqual(draining);
    const stillSent = nextRoster(
      specOf(a),
      draining,
      new Map([['b-127.0.1.2:12001', { sessions: 0, counted: true, outOfRotation: false }]]),
      2_000,
    );
    expect(stillSent).toEqual(draining);
    expect(nextRoster(specOf(a), draining, new Map([['b-127.0.1.2:12001', EMPTY]]), 2_000)).toHaveLength(1);
  });

  it('takes a server back that returns while it drains, with its id', () => {
    const both = nextRoster(specOf(a, b), [], UNKNOWN, 0);
    const draining = nextRoster(specOf(a), both, UNKNOWN, 1_000);
    expect(nextRoster(specOf(a, b), draining, UNKNOWN, 2_000)).toEqual(both);
  });

  it('treats another address as another server beside the old one', () => {
    const before = nextRoster(specOf(a), [], UNKNOWN, 0);
    const after = nextRoster(specOf(aBackend('a', '127.0.1.9')), before, UNKNOWN, 1_000);
    expect(after.map((entry) => [entry.id, entry.address, entry.drain.kind])).toEqual([
      [1, '127.0.1.1', 'draining'],
      [2, '127.0.1.9', 'active'],
    ]);
  });

  it('gives the id of a server that is gone to the next one', () => {
    const both = nextRoster(specOf(a, b), [], UNKNOWN, 0);
    const draining = nextRoster(specOf(b), both, UNKNOWN, 1_000);
    const gone = nextRoster(specOf(b), draining, new Map([['a-127.0.1.1:12001', EMPTY]]), 2_000);
    expect(nextRoster(specOf(b, aBackend('c', '127.0.1.3')), gone, UNKNOWN, 3_000).find((entry) => entry.backend === 'c')?.id).toBe(1);
  });

  it('counts a changed deadline from the old beginning', () => {
    const drained = { ...a, drain: { enabled: true, deadline: '10m' } };
    const first = nextRoster(specOf(drained, b), [], UNKNOWN, 5_000);
    const later = nextRoster(specOf({ ...a, drain: { enabled: true, deadline: '1m' } }, b), first, UNKNOWN, 9_000);
    expect(later[0]).toMatchObject({ drain: { since: 5_000 }, deadlineMs: 60_000 });
  });

  const pick = fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 });
  const step = fc.record({
    names: pick,
    drained: fc.subarray(['a', 'b', 'c', 'd']),
    moved: fc.subarray(['a', 'b', 'c', 'd']),
    empty: fc.boolean(),
    passed: fc.nat(100_000),
  });

  function apply(roster: Roster, event: { names: string[]; drained: string[]; moved: string[]; empty: boolean }, now: number): Roster {
    const counts = new Map(
      roster.map((entry) => [entry.name, { sessions: event.empty ? 0 : 3, counted: true, outOfRotation: entry.drain.kind === 'draining' }]),
    );
    const backends = event.names.map((name, index) =>
      aBackend(
        name,
        `127.0.${event.moved.includes(name) ? 2 : 1}.${index + 1 + 10 * name.charCodeAt(0)}`.replace(/\d+$/, (last) =>
          String(Number(last) % 250 || 1),
        ),
        {
          drain: { enabled: event.drained.includes(name) },
        },
      ),
    );
    return nextRoster(specOf(...backends), roster, counts, now);
  }

  it('keeps ids apart, clocks running and draining servers out of rotation over any sequence of events', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (events) => {
        let roster: Roster = [];
        let now = 1_000;
        for (const event of events) {
          now += event.passed;
          const before = new Map(roster.map((entry) => [entry.name, entry]));
          roster = apply(roster, event, now);
          expect(new Set(roster.map((entry) => entry.id)).size).toBe(roster.length);
          for (const entry of roster) {
            const was = before.get(entry.name);
            if (was !== undefined) expect(entry.id).toBe(was.id);
            if (was?.drain.kind === 'draining' && entry.drain.kind === 'draining') expect(entry.drain.since).toBe(was.drain.since);
          }
          const model = proxyModel(aPool().spec, roster, {
            bindAddress: '0.0.0.0',
            maxConnections: 100,
            sockets: { runtime: '/r', peers: '/p' },
            user: null,
          });
          for (const [index, server] of model.servers.entries())
            expect(server.state === 'drain').toBe(roster[index]?.drain.kind === 'draining');
        }
      }),
    );
  });

  it('changes nothing when it is asked again', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (events) => {
        let roster: Roster = [];
        for (const event of events) roster = apply(roster, event, 1_000);
        const last = events.at(-1);
        if (last === undefined) return;
        const again = apply(roster, { ...last, empty: false }, 1_000);
        expect(apply(again, { ...last, empty: false }, 1_000)).toEqual(again);
      }),
    );
  });

  it('goes on after a restart as if there had been none', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 10 }), fc.nat(9), (events, cut) => {
        let kept: Roster = [];
        let restarted: Roster = [];
        for (const [index, event] of events.entries()) {
          kept = apply(kept, event, index * 1_000);
          restarted = apply(restarted, event, index * 1_000);
          if (index === cut) restarted = JSON.parse(JSON.stringify(restarted)) as Roster;
        }
        expect(restarted).toEqual(kept);
      }),
    );
  });
});
