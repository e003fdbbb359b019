import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { DRAINED_CONDITION, IN_ROTATION_CONDITION } from '../../src/api/v1alpha1/index.ts';
import { CHILD_TYPES, POD, POOL } from '../../src/operator/resources.ts';
import { CHILD_KINDS } from '../../src/pool/child.ts';
import { MANAGED_SELECTOR } from '../../src/pool/resources/identity.ts';
import { throughout, until } from '../support/until.ts';
import { answer, aPodTemplate, TestCluster } from './test-cluster.ts';

const signal = new AbortController().signal;
let cluster: TestCluster;

const SPEC = {
  backends: [
    { name: 'rack', replicas: 2, capacity: { cores: 4, cards: 8, latencyMs: 10 } },
    { name: 'attic', external: { address: '192.0.2.1' }, port: 12_003, capacity: { cores: 2, cards: 4, latencyMs: 100 } },
  ],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, service: { type: 'ClusterIP' } },
};

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  await cluster.startOperator();
  await cluster.applyPool('living-room', SPEC);
});

afterAll(async () => {
  await cluster.stop();
});

async function children(pool: string) {
  const lists = await Promise.all(CHILD_KINDS.map((kind) => cluster.list(CHILD_TYPES[kind], `${MANAGED_SELECTOR},cccam.dev/pool=${pool}`)));
  return lists.flat();
}

async function replicas(deployment: string): Promise<number | undefined> {
  const spec = (await cluster.get(CHILD_TYPES.Deployment, deployment))?.['spec'] as { replicas?: number } | undefined;
  return spec?.replicas;
}

async function proxyConfig(pool: string) {
  const map = await cluster.get(CHILD_TYPES.ConfigMap, `${pool}-haproxy`);
  return JSON.parse((map?.['data'] as Record<string, string> | undefined)?.['proxy.json'] ?? '{}') as {
    servers: { name: string; weight: number; state: string }[];
  };
}

describe('a pool', () => {
  it('becomes Ready once every proxy runs it and a server is up, as kubectl sees it', async () => {
    await cluster.kubectl('wait', '--for=condition=Ready', 'ccp/living-room', '--timeout=30s');
    await until('both pods serve', async () => (await cluster.status('living-room'))?.backends[0]?.ready === 2);
    const table = await cluster.kubectl('get', 'ccp');
    expect(table.split('\n')[0]?.split(/\s+/)).toEqual(['NAME', 'READY', 'BACKENDS', 'SESSIONS', 'DRAINING', 'AGE']);
    expect(table).toMatch(/living-room\s+True\s+1\/2\s+0\s+0/);
    expect((await cluster.condition('living-room', 'Degraded'))?.message).toContain('attic-192.0.2.1:12003');
  });

  it('owns every object that the documentation names, and labels it', async () => {
    const object = await cluster.get(POOL, 'living-room');
    const found = await children('living-room');
    expect(found.map((child) => `${child.kind}/${child.metadata.name}`).sort()).toEqual(
      [
        'ConfigMap/living-room-haproxy',
        'Deployment/living-room-haproxy',
        'Deployment/living-room-rack',
        'NetworkPolicy/living-room-backends',
        'NetworkPolicy/living-room-haproxy',
        'PodDisruptionBudget/living-room-backends',
        'PodDisruptionBudget/living-room-haproxy',
        'Role/living-room-haproxy',
        'RoleBinding/living-room-haproxy',
        'Service/living-room',
        'ServiceAccount/living-room-haproxy',
      ].sort(),
    );
    for (const child of found) {
      expect(child.metadata.ownerReferences).toMatchObject([{ uid: object?.metadata.uid, controller: true }]);
      expect(child.metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'cccam-operator',
        'app.kubernetes.io/instance': 'living-room',
      });
    }
  });

  it('asks for the weights of the formula, the same in the object that HAProxy gets and in the status', async () => {
    const { servers } = await proxyConfig('living-room');
    // (4·8/10) : (2·4/100) = 40 : 1, and the largest is 256.
    expect(servers.map(({ weight }) => weight).sort((a, b) => a - b)).toEqual([6, 256, 256]);
    const status = await cluster.status('living-room');
    expect(status?.backends.map(({ name, weight, total }) => [name, weight, total])).toEqual([
      ['rack', 256, 2],
      ['attic', 6, 1],
    ]);
  });

  it('lets a pod count as Ready only when every proxy routes to it', async () => {
    for (const pod of cluster.kubelet.named('living-room-rack')) {
      expect(await cluster.podCondition(pod.name, IN_ROTATION_CONDITION)).toBe('True');
      await until('the pod is Ready', async () => (await cluster.podCondition(pod.name, 'Ready')) === 'True');
    }
  });

  it('serves clients through both proxies', async () => {
    const { clients, leave } = cluster.connect('living-room', 20);
    await until('all are served', () => clients.every((client) => client.servedBy !== null));
    await until(
      'the status counts them',
      async () => (await cluster.status('living-room'))?.sessions === 20,
      90_000,
      () => clients.length,
    );
    await leave();
  });

  it('writes nothing while nothing happens', async () => {
    await until('it has settled', async () => (await cluster.condition('living-room', 'Progressing'))?.status === 'False');
    const versions = async (): Promise<string> =>
      JSON.stringify([
        (await cluster.get(POOL, 'living-room'))?.metadata.resourceVersion,
        (await children('living-room')).map((child) => child.metadata.resourceVersion),
      ]);
    await until('the counts have settled', async () => (await cluster.status('living-room'))?.sessions === 0, 90_000);
    const before = await versions();
    await throughout('the versions stand', 3_000, async () => (await versions()) === before);
  });

  it('puts back what is changed by hand, and says so', async () => {
    const edits = [
      [CHILD_TYPES.ConfigMap, 'living-room-haproxy', { data: { 'proxy.json': '{}' } }],
      [CHILD_TYPES.Deployment, 'living-room-haproxy', { spec: { replicas: 5 } }],
      [CHILD_TYPES.Role, 'living-room-haproxy', { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['*'] }] }],
    ] as const;
    for (const [type, name, patch] of edits) {
      const before = await cluster.get(type, name);
      await cluster.admin.merge({ type, namespace: cluster.namespace, name }, patch, 'somebody', signal);
      await until(`${type.kind} is put back`, async () => {
        const after = await cluster.get(type, name);
        const part = (object: typeof before) =>
          JSON.stringify([object?.['data'], object?.['rules'], (object?.['spec'] as { replicas?: number } | undefined)?.replicas]);
        return part(after) === part(before);
      });
    }
    await until('an event tells of it', async () => (await cluster.events('living-room')).includes('ChildRestored'));
  });

  it('makes again what is deleted', async () => {
    await cluster.kubectl('delete', 'service', 'living-room');
    await until('the Service is back', async () => (await cluster.get(CHILD_TYPES.Service, 'living-room')) !== null);
  });

  it('is not followed while it is paused, but for its status', async () => {
    await cluster.kubectl('annotate', 'ccp', 'living-room', 'cccam.dev/paused=true');
    await cluster.untilCondition('living-room', 'Progressing', 'False/Paused');
    await cluster.kubectl('scale', 'deployment', 'living-room-haproxy', '--replicas=3');
    await throughout('nobody puts it back', 1_500, async () => (await replicas('living-room-haproxy')) === 3);
    await cluster.kubectl('annotate', 'ccp', 'living-room', 'cccam.dev/paused-');
    await until('it is put back', async () => (await replicas('living-room-haproxy')) === 2);
    await cluster.untilCondition('living-room', 'Ready', 'True');
  });
});

describe('a pool that is invalid', () => {
  it('is told where and why, and the last valid one stays active, pods and all', async () => {
    const served = async () => ({ ...(await proxyConfig('living-room')), shares: [], ends: [] }); // a proxy that was one too many may still be leaving
    const before = await served();
    const twice = { name: 'cellar', external: { address: '192.0.2.1' }, port: 12_003 };
    await cluster.applyPool('living-room', { ...SPEC, backends: [...SPEC.backends, twice] });
    await cluster.untilCondition('living-room', 'Accepted', 'False/Invalid');
    expect((await cluster.condition('living-room', 'Accepted'))?.message).toContain('spec.backends[2].external.address');
    await cluster.untilCondition('living-room', 'Ready', 'False/Invalid');
    expect(await served()).toEqual(before);
    const [pod] = cluster.kubelet.named('living-room-rack');
    await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain=true');
    await until('a drain works all the same', async () =>
      (await proxyConfig('living-room')).servers.some((server) => server.name.startsWith(pod?.name ?? '-') && server.state === 'drain'),
    );
    await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain-');
    await cluster.applyPool('living-room', SPEC);
    await cluster.untilCondition('living-room', 'Accepted', 'True');
    await cluster.untilCondition('living-room', 'Ready', 'True');
    expect(await cluster.podCondition(pod?.name ?? '', DRAINED_CONDITION)).not.toBe('True');
    expect(await cluster.events('living-room')).toContain('PoolRefused');
  });

  it('is refused by the API server itself where the schema can tell', async () => {
    const wrong: [Record<string, unknown>, string][] = [
      [{ backends: [{ name: 'x', external: { address: '127.0.0.1' } }] }, 'expected a unicast'],
      [{ backends: [{ name: 'x', external: { address: '192.0.2.1\n' } }] }, 'external.address'],
      [{ backends: [{ name: 'x' }] }, 'a managed backend needs a podTemplate'],
      [{ backends: [{ name: 'x', external: { address: '192.0.2.1' }, weight: 257 }] }, 'weight'],
      [{ backends: [{ name: 'x', external: { address: '192.0.2.1' }, role: 'Backup' }] }, 'role Active'],
      [{ ...SPEC, timeouts: { idle: '30s' } }, '60s'],
    ];
    for (const [spec, words] of wrong) await expect(cluster.applyPool('wrong', spec)).rejects.toThrow(words);
    expect(await cluster.status('wrong')).toBeNull();
  });

  it('is told what the API server has against its pod template, while its proxies serve', async () => {
    await cluster.applyPool('odd', { ...SPEC, podTemplate: { spec: { containers: [{ name: 'Not A Name', image: 'x' }] } } });
    await cluster.untilCondition('odd', 'Accepted', 'False/Invalid');
    expect((await cluster.condition('odd', 'Accepted'))?.message).toContain('Deployment/odd-rack');
    expect(await cluster.get(CHILD_TYPES.ConfigMap, 'odd-haproxy')).not.toBeNull();
    await cluster.applyPool('odd', SPEC);
    await cluster.untilCondition('odd', 'Accepted', 'True');
    await cluster.kubectl('delete', 'ccp', 'odd');
  });
});

describe('a pool that is deleted', () => {
  it('takes everything with it and nothing hangs', async () => {
    await cluster.leaveAll(); // whoever is there is waited for until the drain's deadline
    await cluster.kubectl('delete', 'ccp', 'living-room', '--timeout=20s');
    await until('every child is gone', async () => (await children('living-room')).length === 0, 30_000);
    await until(
      'every pod is gone',
      async () => (await cluster.list(POD, 'cccam.dev/pool=living-room')).length === 0,
      60_000,
      () => cluster.diagnosis(),
    );
  });

  it('needs no operator for it: there is no finalizer that could hang', async () => {
    await cluster.applyPool('last', SPEC);
    await until('it has children', async () => (await children('last')).length > 5);
    for (const operator of cluster.operators) await cluster.stopOperator(operator, 'SIGKILL');
    expect(JSON.stringify(await cluster.get(POOL, 'last'))).not.toContain('finalizers');
    await cluster.kubectl('delete', 'ccp', 'last', '--timeout=20s');
    await until('every child is gone', async () => (await children('last')).length === 0, 30_000);
  });
});

describe('an operator', () => {
  it('is ready when its caches are warm, and tells of itself in the words of the field', async () => {
    const operator = await cluster.startOperator();
    await cluster.untilReady(operator);
    expect(await answer(operator, '/healthz')).toBe(200);
    const metrics = await (await fetch(`http://127.0.0.1:${operator.port}/metrics`)).text();
    for (const name of [
      'workqueue_depth',
      'controller_runtime_reconcile_total',
      'leader_election_master_status',
      'rest_client_requests_total',
      'cccam_operator_watch_age_seconds',
    ])
      expect(metrics).toContain(name);
  });
});
