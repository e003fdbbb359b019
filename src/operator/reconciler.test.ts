import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Call, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { FakeClock } from '../../test/fakes/clock.ts';
import { SETTINGS } from '../../test/fakes/settings.ts';
import type { KubeObject } from '../kube/resource.ts';
import { PoolReader } from './pool-record.ts';
import { ReconcileStates } from './reconcile-state.ts';
import { Reconciler } from './reconciler.ts';
import { Watches } from './watches.ts';

const signal = new AbortController().signal;

function aPoolObject(changes: object = {}, spec: object = {}): KubeObject {
  return {
    apiVersion: 'cccam.dev/v1alpha1',
    kind: 'CccamPool',
    metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1, ...changes },
    spec: { backends: [{ name: 'b', external: { address: '192.0.2.1' } }], ...spec },
  };
}

/** A Deployment of a backend that has left the spec. */
const LEFTOVER: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'p-old',
    namespace: 'n',
    uid: 'u-old',
    resourceVersion: '1',
    labels: { 'cccam.dev/pool': 'p' },
    ownerReferences: [{ apiVersion: 'x', kind: 'CccamPool', name: 'p', uid: 'u', controller: true }],
  },
  spec: { replicas: 1 },
};

let server: FakeApiServer;
let clock: FakeClock;
let watches: Watches;
let states: ReconcileStates;
let known: boolean;
let live: (call: Call) => unknown;

/** What an API server says that has this pool and, of its children, only the backend that was left over. */
function leftoverBeside(pool: object): (call: Call) => unknown {
  return ({ path }) => {
    if (path.endsWith('/cccampools/p')) return pool;
    if (path.endsWith('/deployments')) return { metadata: {}, items: [LEFTOVER] };
    return path.endsWith('/pods') || path.endsWith('/replicasets') ? { metadata: {}, items: [] } : null;
  };
}
let reconciler: Reconciler;

beforeEach(async () => {
  known = true;
  live = () => null;
  server = await FakeApiServer.start((call, response) => {
    if (call.method !== 'GET') return json(response, 200, call.body ?? {});
    const found = live(call);
    if (found === null) refuse(response, 404, 'NotFound');
    else json(response, 200, found);
  });
  clock = new FakeClock();
  states = new ReconcileStates();
  watches = new Watches({
    client: server.client(),
    namespaces: [],
    clock,
    random: () => 0.5,
    pools: new PoolReader(),
    onPool: () => undefined,
    onProxies: () => undefined,
    report: () => undefined,
  });
  reconciler = new Reconciler({
    tools: {
      client: server.client(),
      watches: {
        pools: watches.pools,
        isOurs: (pod) => watches.isOurs(pod),
        proxiesOf: (pool) => watches.proxiesOf(pool),
        serversOf: (pool) => watches.serversOf(pool),
        childrenOf: (pool) => watches.childrenOf(pool),
        put: (object) => watches.put(object),
        settle: (record) => watches.settle(record),
        knows: () => known,
        outlinesOf: (pool) => watches.outlinesOf(pool),
      },
      clock,
      random: () => 0.5,
      events: { record: async () => undefined },
      yieldToApplies: async () => undefined,
      onEventLost: () => undefined,
    },
    listeners: { reports: () => [] },
    settings: SETTINGS,
    states,
  });
});

afterEach(async () => {
  await server.stop();
});

const writes = (): string[] =>
  server.calls.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path.split('/').at(-1)}`);

describe('a pass', () => {
  it('makes the objects of a pool, the ConfigMap first, and has something to report', async () => {
    watches.put(aPoolObject());
    expect(await reconciler.pass('n/p', signal)).toMatchObject({ work: { kind: 'done' }, reportDue: true });
    expect(writes()[0]).toBe('PATCH p-haproxy');
    expect(writes()).toContain('PATCH p');
  });

  it('writes nothing for a pool that is gone or terminating, and forgets it', async () => {
    watches.put(aPoolObject());
    await reconciler.pass('n/p', signal);
    const state = states.of('u');
    const before = writes().length;
    watches.put(aPoolObject({ resourceVersion: '2', deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(await reconciler.pass('n/p', signal)).toEqual({ work: { kind: 'done' }, reportDue: false });
    expect(writes().length).toBe(before);
    expect(states.of('u')).not.toBe(state);
  });

  it('concludes nothing while not everything in the namespace is known', async () => {
    watches.put(aPoolObject());
    known = false;
    expect(await reconciler.pass('n/p', signal)).toEqual({ work: { kind: 'requeue', afterMs: 1_000 }, reportDue: false });
    expect(server.calls).toEqual([]);
  });

  it('reads what came before its pool, before it decides: a drain that was saved in it goes on', async () => {
    const ownerReferences = [{ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', name: 'p', uid: 'u', controller: true }];
    const drain = { kind: 'draining', reason: 'removed', since: clock.now() };
    const [entry] = [{ name: 'b-192.0.2.9:12000', id: 7, backend: 'b', address: '192.0.2.9', port: 12_000, weight: 1, maxConnections: 1 }];
    const state = JSON.stringify({ version: 1, spec: {}, roster: [{ ...entry, role: 'Active', drain, deadlineMs: 60_000 }] });
    const labels = { 'cccam.dev/pool': 'p' };
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'p-haproxy', namespace: 'n', uid: 'm', resourceVersion: '1', labels, ownerReferences },
      data: { 'state.json': state },
    };
    watches.put(map);
    watches.put(aPoolObject());
    live = ({ path }) => (path.endsWith('/configmaps/p-haproxy') ? map : null);
    await reconciler.pass('n/p', signal);
    expect(server.calls[0]).toMatchObject({ method: 'GET' });
    expect(JSON.stringify(server.calledWith('PATCH', 'configmaps')[0]?.body)).toContain('b-192.0.2.9:12000');
  });

  it('reads live what takes pods away, and deletes by uid what is still so', async () => {
    watches.put(aPoolObject());
    watches.put(LEFTOVER);
    live = leftoverBeside(aPoolObject());
    await reconciler.pass('n/p', signal);
    expect(server.calls.slice(0, 4).map(({ path }) => path.split('/').at(-1))).toEqual(['p', 'deployments', 'replicasets', 'pods']);
    expect(server.calledWith('DELETE')[0]?.body).toMatchObject({ preconditions: { uid: 'u-old' } });
  });

  it.each([
    ['another pool has its name', aPoolObject({ uid: 'another' })],
    ['it is being deleted', aPoolObject({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['it is gone', null],
  ])('takes nothing away when the API server says that %s', async (_what, object) => {
    watches.put(aPoolObject());
    watches.put(LEFTOVER);
    live = ({ path }) => (path.endsWith('/cccampools/p') ? object : null);
    expect(await reconciler.pass('n/p', signal)).toEqual({ work: { kind: 'done' }, reportDue: false });
    expect(writes()).toEqual([]);
  });

  it('keeps the backend that the live pool still has, whatever the watch has missed', async () => {
    watches.put(aPoolObject());
    watches.put(LEFTOVER);
    const withOld = aPoolObject(
      { generation: 2, resourceVersion: '2' },
      {
        backends: [
          { name: 'b', external: { address: '192.0.2.1' } },
          { name: 'old', replicas: 1 },
        ],
        podTemplate: { spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    );
    live = leftoverBeside(withOld);
    await reconciler.pass('n/p', signal);
    expect(server.calledWith('DELETE')).toEqual([]);
  });
});

describe('a report', () => {
  it('waits half a second at most for a ConfigMap that is not written yet', async () => {
    watches.put(aPoolObject());
    expect(await reconciler.report('n/p', signal)).toEqual({ kind: 'requeue', afterMs: 500 });
    await clock.advance(499);
    expect(await reconciler.report('n/p', signal)).toEqual({ kind: 'requeue', afterMs: 500 });
    expect(writes()).toEqual([]);
    await clock.advance(1);
    await reconciler.report('n/p', signal);
    expect(writes()).toEqual(['PATCH status']);
  });

  it('says nothing about a pool that is gone', async () => {
    expect(await reconciler.report('n/p', signal)).toEqual({ kind: 'done' });
  });
});
