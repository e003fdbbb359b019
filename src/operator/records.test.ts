import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../kube/resource.ts';
import { childRecord } from './child-record.ts';
import { podRecord } from './pod-record.ts';
import { PoolReader, understand } from './pool-record.ts';

function aPod(changes: { labels?: object; owner?: object; status?: object; metadata?: object } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'p-a-6c9f-x',
      namespace: 'n',
      uid: 'u',
      resourceVersion: '1',
      labels: { 'cccam.dev/pool': 'p', 'cccam.dev/backend': 'a', 'cccam.dev/component': 'backend', ...changes.labels },
      annotations: { 'cccam.dev/port': '12000' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'p-a-6c9f', uid: 'r', controller: true, ...changes.owner }],
      ...changes.metadata,
    },
    status: { podIP: '10.0.0.1', conditions: [{ type: 'ContainersReady', status: 'True' }], ...changes.status },
  };
}

describe('childRecord', () => {
  it('takes nothing for ours that the pool does not control', () => {
    const child = (reference: object): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'p', namespace: 'n', ownerReferences: [{ apiVersion: 'x', kind: 'CccamPool', name: 'p', uid: 'u', ...reference }] },
    });
    expect([{}, { controller: false }, { controller: true }].map((each) => childRecord(child(each)).facts.ownerUid)).toEqual([
      null,
      null,
      'u',
    ]);
  });
});

describe('podRecord', () => {
  it('takes a pod of the pool’s Deployment for a server', () => {
    expect(podRecord(aPod())).toMatchObject({
      pool: 'n/p',
      backend: { backend: 'a', address: '10.0.0.1', port: 12_000, containersReady: true },
    });
  });

  it('knows the ReplicaSet that controls it, and nothing else that it names', () => {
    expect(podRecord(aPod()).replicaSet).toEqual({ name: 'p-a-6c9f', uid: 'r' });
    for (const owner of [{ kind: 'Job' }, { controller: false }]) expect(podRecord(aPod({ owner })).replicaSet).toBeNull();
  });

  it.each([{ name: 'r'.repeat(254) }, { uid: 'u'.repeat(254) }])('takes an owner with too long a name or uid for none', (owner) => {
    expect(podRecord(aPod({ owner })).replicaSet).toBeNull();
  });

  it('keeps no long annotation', () => {
    const annotations = { 'cccam.dev/port': '12000', 'cccam.dev/drain': 'x'.repeat(200_000) };
    expect(podRecord(aPod({ metadata: { ...aPod().metadata, annotations } })).backend?.drain?.length).toBe(1_024);
  });

  it('does not count a proxy that has ended: an evicted pod stays for days and can never be asked', () => {
    const proxy = { labels: { 'cccam.dev/component': 'proxy' } };
    expect(podRecord(aPod(proxy)).proxy).not.toBeNull();
    expect(podRecord(aPod({ ...proxy, status: { phase: 'Failed' } })).proxy).toBeNull();
  });

  it('lets no address through that is not one', () => {
    for (const podIP of ['127.1', 'localhost', '10.0.0.1\n', '0x7f000001', ''])
      expect(podRecord(aPod({ status: { podIP } })).backend?.address).toBeNull();
  });

  it('knows when a pod was asked to end from the end of its grace period', () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:10:00Z', deletionGracePeriodSeconds: 600 };
    expect(podRecord(aPod({ metadata: { ...aPod().metadata, ...metadata } })).backend?.terminatingSince).toBe(
      Date.parse('2026-01-01T00:00:00Z'),
    );
  });
});

describe('PoolReader', () => {
  it('refuses valid pools beyond what one namespace may have, by name, and takes them once there is room', () => {
    const reader = new PoolReader();
    const spec = {
      backends: [{ name: 'a', replicas: 1 }],
      podTemplate: { spec: { containers: [{ name: 'c', image: randomBytes(45_000).toString('base64') }] } },
    };
    const read = (index: number, generation = 1): string =>
      reader.read({
        apiVersion: 'cccam.dev/v1alpha1',
        kind: 'CccamPool',
        metadata: { name: `p${index}`, namespace: 'n', uid: `u${index}`, generation },
        spec,
      }).reading.value.kind;
    const kinds = Array.from({ length: 400 }, (_, index) => read(index));
    const taken = kinds.filter((kind) => kind === 'accepted').length;
    expect(taken).toBeGreaterThan(300);
    expect(taken).toBeLessThan(399);
    expect(read(399)).toBe('refused');
    for (const index of [0, 1]) reader.forget({ namespace: 'n', name: `p${index}`, uid: `u${index}` });
    expect(read(399)).toBe('accepted');
  });
});

describe('understand', () => {
  it('refuses a pool that is nested so deep that it cannot be walked, and throws nothing', () => {
    let affinity: unknown = {};
    for (let depth = 0; depth < 20_000; depth += 1) affinity = { a: affinity };
    const spec = { backends: [{ name: 'x', external: { address: '192.0.2.1' } }], proxy: { affinity } };
    const pool = { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec };
    expect(understand(pool).kind).toBe('refused');
  });

  it.each(['podTemplate', 'proxy'])('says which field of a pool is nested too deep: %s', (field) => {
    let affinity: unknown = {};
    for (let depth = 0; depth < 5_000; depth += 1) affinity = { a: affinity };
    const backends = [{ name: 'x', external: { address: '192.0.2.1' } }];
    const spec = field === 'proxy' ? { backends, proxy: { affinity } } : { backends, podTemplate: affinity };
    const reading = new PoolReader().read({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec }).reading
      .value;
    const path = field === 'proxy' ? ['spec', 'proxy', 'affinity'] : ['spec', 'podTemplate'];
    const message = 'expected at most 64 levels of fields below each other, found 5001: flatten it';
    expect(reading).toEqual({ kind: 'refused', issues: [{ path, message }] });
  });

  it('reads the same generation again once the server leaves a field out that it does not know any more', () => {
    const reader = new PoolReader();
    const reading = (more: object): string => {
      const spec = { backends: [{ name: 'x', external: { address: '192.0.2.1' } }], ...more };
      return reader.read({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p', generation: 2 }, spec }).reading
        .value.kind;
    };
    expect([reading({ later: 'x' }), reading({}), reading({ later: 'x' })]).toEqual(['refused', 'accepted', 'refused']);
  });

  it('keeps a few of the issues of a pool that is wrong everywhere', () => {
    const backends = Array.from({ length: 128 }, () => ({ name: 'X', port: -1 }));
    const reading = understand({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec: { backends } });
    expect(reading.kind === 'refused' && reading.issues.length).toBe(20);
  });

  it('keeps no pod template: it may hold a secret, and its Deployment holds it already', () => {
    const podTemplate = { spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'PASSWORD', value: 'secret' }] }] } };
    const pool = {
      apiVersion: 'cccam.dev/v1alpha1',
      kind: 'CccamPool',
      metadata: { name: 'p' },
      spec: { backends: [{ name: 'x', replicas: 1 }], podTemplate },
    };
    const reading = understand(pool);
    expect(reading.kind === 'accepted' && JSON.stringify(reading.spec)).not.toContain('secret');
  });
});

describe('childRecord', () => {
  const entry = {
    name: 's-10.0.0.1:12000',
    id: 1,
    backend: 'a',
    address: '10.0.0.1',
    port: 12_000,
    weight: 1,
    maxConnections: 1,
    role: 'Active',
    drain: { kind: 'active' },
    deadlineMs: 0,
  };

  function aMap(...roster: object[]): KubeObject {
    const state = JSON.stringify({ version: 1, spec: {}, roster });
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'p-haproxy', namespace: 'n', labels: { 'cccam.dev/pool': 'p' } },
      data: { 'state.json': state },
    };
  }

  it('reads what was saved', () => {
    expect(childRecord(aMap(entry)).saved?.value.roster).toEqual([entry]);
  });

  it.each([
    ['an address that is none', { address: 'unix@/x' }],
    ['a name with a command in it', { name: 'a;shutdown' }],
    ['a port out of range', { port: 0 }],
    ['a weight out of range', { weight: 257 }],
    ['a drain from nowhere', { drain: { kind: 'draining', reason: 'why', since: 0 } }],
  ])('takes nothing from a saved state with %s', (_what, changes) => {
    expect(childRecord(aMap({ ...entry, ...changes })).saved).toBeNull();
  });

  it('takes nothing from a map that is not the one of its pool’s proxies', () => {
    const map = aMap(entry);
    expect(childRecord({ ...map, metadata: { ...map.metadata, name: 'p-haproxy-2' } }).saved).toBeNull();
  });

  it('takes nothing from a saved state with more servers than a pool can have, or with a million values, and is soon done', () => {
    const many = (count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ ...entry, id: at + 1, name: `s${at}`, address: `10.0.${at >> 8}.${at & 255}` }));
    expect(childRecord(aMap(...many(8_000))).saved?.value.roster).toHaveLength(8_000);
    expect(childRecord(aMap(...many(8_001))).saved).toBeNull();
    const bomb = gzipSync(`{"version":1,"spec":{},"roster":[${'{},'.repeat(1_000_000)}{}]}`).toString('base64');
    const begun = performance.now();
    expect(childRecord({ ...aMap(), data: {}, binaryData: { 'state.json.gz': bomb } }).saved).toBeNull();
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  it('takes nothing from a saved state that names a server or an id twice', () => {
    expect(childRecord(aMap(entry, { ...entry, id: 2 })).saved).toBeNull();
    expect(childRecord(aMap(entry, { ...entry, name: 't' })).saved).toBeNull();
  });
});
