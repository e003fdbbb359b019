import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBackend, aPodOf, aPool, poolObject } from '../../test/fakes/pools.ts';
import { type PoolStatus, parsePool } from '../api/v1alpha1/index.ts';
import { poolStatus as statusSchema } from '../api/v1alpha1/status.ts';
import { judge } from './decide.ts';
import { NO_PROXIES, type ProxySummary, type ServerFacts } from './proxy-summary.ts';
import { nextRoster, type Roster } from './roster.ts';
import { poolStatus as statusFrom } from './status.ts';
import { transitions } from './transitions.ts';

const UP: ServerFacts = {
  sessions: 4,
  counted: true,
  outOfRotation: false,
  inRotation: true,
  staysInRotation: true,
  health: 'up',
  cause: null,
  learnedLimit: null,
  limitIsSure: false,
};
const DOWN: ServerFacts = {
  sessions: 0,
  counted: true,
  outOfRotation: false,
  inRotation: false,
  staysInRotation: false,
  health: 'down',
  cause: 'refused',
  learnedLimit: null,
  limitIsSure: false,
};

const pool = aPool({ backends: [aBackend('a', '127.0.1.1'), aBackend('b', 'fd00::2', { role: 'Backup' })] });
const roster = nextRoster({ spec: pool.spec, previous: [], counts: new Map() }, 0);
const [a = '', b = ''] = roster.map((entry) => entry.name);

function subject({ metadata, spec }: typeof pool) {
  return { generation: metadata.generation, backends: spec.backends };
}

const NO_CONTEXT = { refusal: null, paused: false, notOwned: [], rolling: [], attentions: [] };

/** The status of a pool with one proxy. */
function poolStatus(
  pool: ReturnType<typeof subject>,
  entries: Roster,
  proxies: ProxySummary,
  ...[address, previous, now]: readonly [address: string | null, previous: PoolStatus | null, now: number]
): PoolStatus {
  return statusFrom({ ...pool, servers: judge(entries, proxies, now), proxies, desired: 1, address, previous, context: NO_CONTEXT }, now);
}

function facts(servers: Record<string, ServerFacts>, changes: Partial<ProxySummary> = {}): ProxySummary {
  return {
    ...NO_PROXIES,
    reachable: 1,
    synced: 1,
    servers: new Map(Object.entries(servers)),
    ...changes,
  };
}

function condition(status: ReturnType<typeof poolStatus>, type: string): string {
  const found = status.conditions.find((each) => each.type === type);
  return `${found?.status}/${found?.reason}`;
}

describe('poolStatus', () => {
  it('says what was read back, in the shape of the schema', () => {
    const status = poolStatus(subject(pool), roster, facts({ [a]: UP, [b]: { ...UP, sessions: 0 } }), '10.0.0.1:12000', null, 0);
    expect(statusSchema.parse(status)).toEqual(status);
    expect(status).toMatchObject({ sessions: 4, draining: 0, summary: '2/2', address: '10.0.0.1:12000' });
    expect(condition(status, 'Ready')).toBe('True/Serving');
    expect(status.backends[1]?.servers[0]?.address).toBe('[fd00::2]:12001');
  });

  it.each([
    ['no proxy runs this generation', facts({ [a]: UP, [b]: UP }, { synced: 0 }), 'False/Syncing'],
    ['the Active server is down', facts({ [a]: DOWN, [b]: UP }), 'False/OnBackup'],
    ['every server is down', facts({ [a]: DOWN, [b]: DOWN }), 'False/NoServerUp'],
    ['nothing was read back yet', facts({}), 'False/NoServerUp'],
  ])('is not Ready when %s', (_when, proxies, expected) => {
    expect(condition(poolStatus(subject(pool), roster, proxies, null, null, 0), 'Ready')).toBe(expected);
  });

  it('names a proxy that reaches no server while others do, and is Ready all the same', () => {
    const status = poolStatus(subject(pool), roster, facts({ [a]: UP, [b]: UP }, { isolated: ['p-2'] }), null, null, 0);
    expect([condition(status, 'Ready'), condition(status, 'Degraded')]).toEqual(['True/Serving', 'True/NoReachableServers']);
    expect(status.conditions.find(({ type }) => type === 'Degraded')?.message).toContain('p-2');
  });

  it('keeps to the schema and to a size that can be stored, however many pods there are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 12 }), (replicas) => {
        const backends = replicas.map((count, index) => ({ name: `b${index}`, replicas: count }));
        const { pool: managed } = parsePool(poolObject({ backends, podTemplate: {} }), 'cluster');
        const pods = backends.flatMap(({ name, replicas: count }) =>
          Array.from({ length: count }, (_, index) =>
            aPodOf(name, {
              name: `p-${name}-${index}`,
              uid: `${name}-${index}`,
              address: `10.0.${name.slice(1)}.${index + 1}`,
              containersReady: true,
            }),
          ),
        );
        const servers = nextRoster({ spec: managed.spec, previous: [], counts: new Map(), pods }, 0);
        const status = poolStatus(
          subject(managed),
          servers,
          facts(Object.fromEntries(servers.map(({ name }) => [name, UP]))),
          null,
          null,
          0,
        );
        expect(() => statusSchema.parse(status)).not.toThrow();
        expect(status.backends.flatMap((backend) => backend.servers).length).toBe(Math.min(pods.length, 256));
        const shares = status.backends.reduce((sum, backend) => sum + backend.sharePercent, 0);
        expect(Math.abs(shares - (pods.length === 0 ? 0 : 100))).toBeLessThanOrEqual(backends.length / 2);
      }),
      { numRuns: 50 },
    );
  });

  it('tells a proxy that does not answer from one that is behind', () => {
    expect(condition(poolStatus(subject(pool), roster, facts({}, { synced: 0, reachable: 0 }), null, null, 0), 'ProxiesSynced')).toBe(
      'False/Unreachable',
    );
    expect(condition(poolStatus(subject(pool), roster, facts({}, { synced: 0 }), null, null, 0), 'ProxiesSynced')).toBe('False/Syncing');
  });

  it('names the proxy that does not answer', () => {
    const status = poolStatus(subject(pool), roster, facts({}, { synced: 0, reachable: 0, unheard: ['p-haproxy-x'] }), null, null, 0);
    const { message } = status.conditions.find(({ type }) => type === 'ProxiesSynced') ?? { message: '' };
    expect(message).toContain('run this config. No answer from p-haproxy-x.');
  });

  it('moves a transition time only when the condition flips', () => {
    const first = poolStatus(subject(pool), roster, facts({ [a]: UP, [b]: UP }), null, null, 0);
    const second = poolStatus(subject(pool), roster, facts({ [a]: { ...UP, sessions: 9 }, [b]: UP }), null, first, 60_000);
    expect(second.conditions).toEqual(first.conditions);
    const third = poolStatus(subject(pool), roster, facts({ [a]: DOWN, [b]: UP }), null, second, 120_000);
    expect(third.conditions.find((each) => each.type === 'Ready')?.lastTransitionTime).toBe('1970-01-01T00:02:00Z');
    expect(third.conditions.find((each) => each.type === 'ProxiesSynced')?.lastTransitionTime).toBe('1970-01-01T00:00:00Z');
  });

  it('counts a drain down and says when it is over', () => {
    const draining = aPool({
      backends: [aBackend('a', '127.0.1.1'), aBackend('b', 'fd00::2', { drain: { enabled: true, deadline: '10m' } })],
    });
    const entries = nextRoster({ spec: draining.spec, previous: roster, counts: new Map() }, 1_000);
    const busy = poolStatus(
      subject(draining),
      entries,
      facts({
        [a]: UP,
        [b]: {
          sessions: 2,
          counted: true,
          outOfRotation: true,
          inRotation: false,
          staysInRotation: false,
          health: null,
          cause: null,
          learnedLimit: null,
          limitIsSure: false,
        },
      }),
      null,
      null,
      2_000,
    );
    expect(busy.backends[1]?.servers[0]).toMatchObject({
      state: 'Draining',
      sessions: 2,
      since: '1970-01-01T00:00:01Z',
      deadline: '1970-01-01T00:10:01Z',
    });
    expect(condition(busy, 'Progressing')).toBe('True/Draining');
    const empty = poolStatus(
      subject(draining),
      entries,
      facts({
        [a]: UP,
        [b]: {
          sessions: 0,
          counted: true,
          outOfRotation: true,
          inRotation: false,
          staysInRotation: false,
          health: null,
          cause: null,
          learnedLimit: null,
          limitIsSure: false,
        },
      }),
      null,
      busy,
      3_000,
    );
    expect(empty.backends[1]?.servers[0]?.state).toBe('Drained');
    expect(transitions(busy, empty)).toEqual([{ server: b, from: 'Draining', to: 'Drained', sessions: 0, sessionsBefore: 2 }]);
  });
});

describe('transitions', () => {
  it('names servers that came and went', () => {
    const first = poolStatus(subject(pool), roster, facts({ [a]: UP, [b]: UP }), null, null, 0);
    expect(transitions(null, first).map((each) => [each.server, each.from, each.to])).toEqual([
      [a, null, 'Up'],
      [b, null, 'Up'],
    ]);
    const second = poolStatus(subject(pool), roster.slice(0, 1), facts({ [a]: UP }), null, first, 0);
    expect(transitions(first, second)).toEqual([{ server: b, from: 'Up', to: null, sessions: 0, sessionsBefore: 4 }]);
  });
});
