import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { shortened } from '../../test/fakes/reflecting.ts';
import type { KubeObject } from '../kube/resource.ts';
import { PoolReader, type PoolRecord } from './pool-record.ts';
import { Watches } from './watches.ts';

let server: FakeApiServer;
let woken: string[];
let refused: string | null;
let unreadable: string[];
let proxies: string[];

beforeEach(async () => {
  [woken, refused, unreadable, proxies] = [[], null, [], []];
  server = await FakeApiServer.start((call, response) => {
    if (refused !== null && call.path.includes(`/namespaces/${refused}/`)) return refuse(response, 403, 'Forbidden');
    if (call.query.get('watch') === 'true') return void response.writeHead(200).flushHeaders();
    json(response, 200, { metadata: { resourceVersion: '1' }, items: [] });
  });
});

afterEach(async () => {
  await server.stop();
});

function watching(...namespaces: string[]): Watches {
  return new Watches({
    client: server.client(),
    namespaces,
    clock: shortened(),
    random: () => 0.5,
    pools: new PoolReader(),
    onPool: (key) => void woken.push(key),
    onProxies: (pool) => void proxies.push(pool),
    report: (kind, said) => void (said.kind === 'unreadable' && unreadable.push(`${kind} ${said.key}`)),
  });
}

function aPool(changes: object = {}, status: object = {}): KubeObject {
  const metadata = { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1, ...changes };
  return { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata, spec: { backends: [] }, status };
}

function aMap(pool: string, changes: object = {}, data: object = {}): KubeObject {
  const ownerReferences = [{ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', name: pool, uid: 'u', controller: true }];
  const labels = { 'cccam.dev/pool': pool };
  const metadata = { name: `${pool}-haproxy`, namespace: 'n', uid: 'm', resourceVersion: '1', labels, ownerReferences, ...changes };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

describe('Watches', () => {
  it('wake a pool for its spec, its pause and its end, and for no status', () => {
    const watches = watching();
    watches.put(aPool());
    watches.put(aPool({ resourceVersion: '2' }, { sessions: 4 }));
    expect(woken).toEqual(['n/p']);
    watches.put(aPool({ resourceVersion: '3', generation: 2 }));
    watches.put(aPool({ resourceVersion: '4', generation: 2, annotations: { 'cccam.dev/paused': 'true' } }));
    watches.put(aPool({ resourceVersion: '5', generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(woken).toHaveLength(4);
  });

  it('wake both pools when an object goes from one to the other, and none when nothing of it has changed', () => {
    const watches = watching();
    for (const name of ['p', 'q']) watches.put(aPool({ name, uid: name }));
    woken.splice(0);
    watches.put(aMap('p'));
    watches.put(aMap('p', { resourceVersion: '2' }));
    expect(woken).toEqual(['n/p']);
    watches.put(aMap('q', { name: 'p-haproxy', resourceVersion: '3' }));
    expect(woken).toEqual(['n/p', 'n/p', 'n/q']);
    expect([watches.childrenOf('n/p').length, watches.childrenOf('n/q').length]).toEqual([0, 0]);
  });

  it('wake nothing for what names a pool that is not there, or has a name that nothing of its pool has, and look at it no more', () => {
    const watches = watching();
    watches.put(aPool());
    woken.splice(0);
    for (let index = 0; index < 100; index += 1) {
      watches.put(aMap(`no-${index}`, { uid: `a${index}` }));
      watches.put(aMap('p', { name: `p-other-${index}`, uid: `b${index}` }));
    }
    expect([woken, watches.childrenOf('n/p')]).toEqual([[], []]);
  });

  it('keep what was saved of the pools of one namespace up to a bound', () => {
    const watches = watching();
    const spec = { note: randomBytes(180_000).toString('base64') }; // which cannot be compressed much
    for (let index = 0; index < 100; index += 1) {
      const [name, uid] = [`p${index}`, `u${index}`];
      watches.put(aPool({ name, uid }));
      const ownerReferences = [{ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', name, uid, controller: true }];
      watches.put(aMap(name, { uid: `m${index}`, ownerReferences }, { 'state.json': JSON.stringify({ version: 1, spec, roster: [] }) }));
    }
    const saved = Array.from({ length: 100 }, (_, index) => watches.childrenOf(`n/p${index}`)[0]?.saved?.size ?? 0);
    const kept = saved.reduce((sum, size) => sum + size);
    expect(kept).toBeGreaterThan(15_000_000);
    expect(kept).toBeLessThan(17_000_000);
  });

  it('let go of the content of what was compared, and notice when it changes again', () => {
    const watches = watching();
    watches.put(aPool());
    watches.put(aMap('p', {}, { a: '1' }));
    const [record] = watches.childrenOf('n/p');
    if (record === undefined) throw new Error('it is not there');
    watches.settle(record);
    expect(watches.childrenOf('n/p')[0]?.facts.content).toBeNull();
    watches.put(aMap('p', { resourceVersion: '2' }, { a: '2' }));
    expect(watches.childrenOf('n/p')[0]?.facts.content).not.toBeNull();
    expect(woken).toHaveLength(3);
  });

  it.each([
    ['of no pool', { labels: { 'cccam.dev/pool': 'q' }, name: 'q-haproxy' }],
    ['that another pool owns', { ownerReferences: [{ kind: 'CccamPool', name: 'p', uid: 'earlier', controller: true }] }],
  ])('keep no content of an object %s', (_what, changes) => {
    const watches = watching();
    watches.put(aPool());
    watches.put(aMap('p', changes, { a: '1' }));
    const [record] = [...watches.childrenOf('n/p'), ...watches.childrenOf('n/q')];
    expect(record).toMatchObject({ uid: 'm', partial: true, saved: null, facts: { content: null, fingerprint: '' } });
    expect(watches.pools.get('n', 'p')).toSatisfy((pool: PoolRecord) => watches.outlinesOf(pool).length === 0);
  });

  it('keep little of the many and large objects of one pool', () => {
    const watches = watching();
    watches.put(aPool());
    for (let index = 0; index < 50; index += 1) {
      const { metadata } = aMap('p', { name: `p-b${index}`, uid: `d${index}` });
      watches.put({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template: { text: 'x'.repeat(10_000) } } });
    }
    const kept = watches.childrenOf('n/p').map(({ facts, partial }) => [partial, facts.content !== null]);
    expect(kept.filter(([, content]) => content)).toHaveLength(12);
    expect(kept.filter(([partial]) => partial)).toHaveLength(0);
  });

  it('have room again for what was let go of, and for what is told again', () => {
    const watches = watching();
    watches.put(aPool());
    const put = (name: string, version: number): void => {
      const { metadata } = aMap('p', { name, uid: name, resourceVersion: String(version) });
      watches.put({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template: { text: `${version} `.padEnd(60_000, 'x') } } });
    };
    const kept = (): string[] => watches.childrenOf('n/p').flatMap(({ facts, name }) => (facts.content === null ? [] : [name]));
    for (const name of ['p-a', 'p-b', 'p-c']) put(name, 1);
    expect(kept()).toEqual(['p-a', 'p-b']);
    put('p-c', 2);
    expect(kept()).toEqual(['p-a', 'p-b']);
    for (const record of watches.childrenOf('n/p')) watches.settle(record);
    for (const name of ['p-b', 'p-c']) put(name, 3);
    expect(kept()).toEqual(['p-b', 'p-c']);
  });

  it('know which objects came before their pool, and take the same version of them again', () => {
    const watches = watching();
    const map = aMap('p', {}, { a: '1' });
    watches.put(map);
    watches.put(aPool());
    const outlines = (): string[] => watches.outlinesOf(watches.pools.get('n', 'p') as PoolRecord).map(({ name }) => name);
    expect(outlines()).toEqual(['p-haproxy']);
    watches.put(map);
    expect(outlines()).toEqual([]);
    expect(watches.childrenOf('n/p')[0]?.facts.content).not.toBeNull();
  });

  it('keep an object that cannot be read by its name alone, and follow the others', () => {
    const watches = watching();
    let deep: object = {};
    for (let level = 0; level < 20_000; level += 1) deep = { deep };
    watches.put(aPool({ name: 'deep' }, deep));
    watches.put({
      ...aPool(),
      metadata: {
        ...aPool().metadata,
        annotations: {
          get 'cccam.dev/paused'(): string {
            throw new Error('x');
          },
        },
      },
    });
    expect(watches.pools.get('n', 'deep')).toMatchObject({ uid: 'u', reading: { value: { kind: 'refused' } } });
    expect(unreadable).toEqual(['CccamPool n/deep', 'CccamPool n/p']);
    watches.put(aPool({ resourceVersion: '2' }));
    expect(watches.pools.get('n', 'p')?.reading.value).toMatchObject({ issues: [{ path: ['spec', 'backends'] }] });
  });

  it('ask whose the proxies are whenever something of their owners is told', () => {
    const watches = watching();
    const owner = (kind: string, name: string, uid: string) => [{ apiVersion: 'v1', kind, name, uid, controller: true }];
    const labels = { 'cccam.dev/pool': 'p', 'cccam.dev/component': 'proxy' };
    const told = (kind: string, name: string, uid: string, ownerReferences: ReturnType<typeof owner>): string[] => {
      proxies.splice(0);
      watches.put({ apiVersion: 'v1', kind, metadata: { name, namespace: 'n', uid, resourceVersion: '1', labels, ownerReferences } });
      return [...proxies, ...watches.proxiesOf('n/p').map((pod) => String(watches.isOurs(pod)))];
    };
    expect(told('Pod', 'p-haproxy-1-x', 'x', owner('ReplicaSet', 'p-haproxy-1', 'r'))).toEqual(['n/p', 'false']);
    expect(told('ReplicaSet', 'p-haproxy-1', 'r', owner('Deployment', 'p-haproxy', 'd'))).toEqual(['n/p', 'false']);
    expect(told('Deployment', 'p-haproxy', 'd', owner('CccamPool', 'p', 'u'))).toEqual(['n/p', 'false']);
    proxies.splice(0);
    watches.put(aPool());
    expect([...proxies, ...watches.proxiesOf('n/p').map((pod) => String(watches.isOurs(pod)))]).toEqual(['n/p', 'true']);
    expect(woken).toEqual(['n/p']); // before that there was no pool to wake
  });

  it('are synced without a namespace that is refused, and conclude nothing about that one; but never without all of them', async () => {
    refused = 'b';
    const watches = watching('a', 'b');
    const end = new AbortController();
    const running = watches.reflectors.run(end.signal);
    await eventually('it is synced', () => watches.reflectors.synced);
    expect([watches.knows('a'), watches.knows('b')]).toEqual([true, false]);
    end.abort();
    await running;
  });

  it('are not synced while the only namespace is refused', async () => {
    refused = 'b';
    const watches = watching('b');
    const end = new AbortController();
    const running = watches.reflectors.run(end.signal);
    await eventually('every kind was asked for', () => server.calls.length >= 10);
    expect(watches.reflectors.synced).toBe(false);
    end.abort();
    await running;
  });
});
