import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { anObservation, aServerObservation } from '../fakes/observations.ts';
import { throughout, until } from '../support/until.ts';
import { metrics, total } from './metrics.ts';
import { HostileAgent, keepTalking, Tenant } from './tenant.ts';
import { answer, aPodTemplate, type RunningOperator, TestCluster } from './test-cluster.ts';

/** What the chart gives the operator: a third of 192 MiB for the heap. */
const HEAP = '--max-old-space-size=67 --max-semi-space-size=1';
const LIMIT_KIB = 192 * 1_024;

let good: TestCluster;
let bad: TestCluster;
let tenant: Tenant;
let operator: RunningOperator;
const agents: HostileAgent[] = [];
let changes = 0;

beforeAll(async () => {
  good = await TestCluster.create(inject('access'));
  bad = await TestCluster.create(inject('access'));
  bad.kubelet.idle = true;
  await bad.create(
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'operator', namespace: bad.namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cccam-operator-by-hand' },
      subjects: [{ kind: 'ServiceAccount', name: 'cccam-operator', namespace: good.namespace }],
    } as unknown as KubeObject,
    'rolebindings',
  );
  tenant = await Tenant.in(bad);
  operator = await start();
  await good.untilReady(operator);
  await good.applyPool('p', { backends: [{ name: 'a', replicas: 1 }], podTemplate: aPodTemplate(), proxy: { maxConnections: 2_000 } });
  await good.untilCondition('p', 'Ready', 'True', 40_000);
}, 120_000);

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

afterAll(async () => {
  await good.stop();
  await bad.stop();
});

async function start(): Promise<RunningOperator> {
  const started = await good.startOperator({
    args: ['--namespaces', `${good.namespace},${bad.namespace}`],
    env: { NODE_OPTIONS: HEAP },
  });
  return started;
}

/** Another tenant's change is in force within five seconds, in the proxies, and the operator is well and small. */
async function nobodyElseIsHurt(): Promise<void> {
  changes += 1;
  const address = `192.0.2.${changes}`;
  const backends = [
    { name: 'a', replicas: 1 },
    { name: `x${changes}`, external: { address } },
  ];
  await good.applyPool('p', { backends, podTemplate: aPodTemplate(), proxy: { maxConnections: 2_000 } });
  const isSynced = async (): Promise<boolean> => {
    const status = await good.status('p');
    const backend = status?.backends.find(({ name }) => name === `x${changes}`);
    const synced = status?.conditions.find(({ type }) => type === 'ProxiesSynced');
    return backend !== undefined && synced?.status === 'True' && status?.observedGeneration === changes + 1;
  };
  await until('the change of another tenant is in force', isSynced, 5_000, async () => ({
    status: await good.status('p'),
    logs: good.tails(),
  }));
  expect(await answer(operator, '/healthz')).toBe(200);
  expect(await answer(operator, '/readyz')).toBe(200);
  expect(operator.process.exitCode).toBeNull();
  expect(await peakKib()).toBeLessThan(LIMIT_KIB);
}

/** The most that the operator has ever had in memory. */
async function peakKib(): Promise<number> {
  const text = await readFile(`/proc/${operator.process.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(text)?.[1] ?? Number.NaN);
}

/** Starts the operator again, in the cluster as the tenant has left it. */
async function restart(): Promise<void> {
  await good.stopOperator(operator);
  operator = await start();
  await good.untilReady(operator);
}

/** A pod that says that it is a proxy of a pool, at an address where a process of the tenant answers. */
async function aFalseProxy(pool: string, owner: { name: string; uid: string }, address: string): Promise<void> {
  const name = `${owner.name}-x`;
  await tenant.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { 'cccam.dev/pool': pool, 'cccam.dev/component': 'proxy' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', ...owner, controller: true }],
    },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  });
  await giveAddress(name, address);
}

async function giveAddress(pod: string, address: string): Promise<void> {
  const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions: [{ type: 'Ready', status: 'True' }] };
  await bad.admin.apply(
    { type: POD, namespace: bad.namespace, name: pod },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace: bad.namespace }, status },
    { manager: 'kubelet', force: true, subresource: 'status' },
    AbortSignal.timeout(10_000),
  );
}

/** A pool of the tenant, with the hostile agent where its proxy should be. */
async function aPoolWithHostileProxy(name: string, address: string, talk: Parameters<typeof keepTalking>): Promise<HostileAgent> {
  await tenant.createPool(name, { backends: [{ name: 'a', external: { address: '192.0.2.1' } }], proxy: { replicas: 1 } });
  const agent = await HostileAgent.start(address, keepTalking(...talk));
  agents.push(agent);
  let pod: string | undefined;
  await until('its proxy has a pod', async () => {
    pod = (await bad.list(POD)).find(({ metadata }) => metadata.name.startsWith(`${name}-haproxy-`))?.metadata.name;
    return pod !== undefined;
  });
  await giveAddress(pod ?? '', address);
  await until('the operator listens', () => agent.connections > 0);
  return agent;
}

const snapshot = (): string =>
  [{ kind: 'proxy', ...anObservation(), servers: undefined }, { kind: 'server', ...aServerObservation() }, { kind: 'synced' }]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

describe('a tenant who may edit one namespace', () => {
  it('makes a pool that is nested 5 000 deep: it is refused by name, and all others are reconciled, after a restart, too', async () => {
    const podTemplate = `${'{"a":'.repeat(5_000)}{}${'}'.repeat(5_000)}`;
    await tenant.createText(
      `{"apiVersion":"cccam.dev/v1alpha1","kind":"CccamPool","metadata":{"name":"deep"},"spec":{"backends":[{"name":"a","replicas":1}],"podTemplate":${podTemplate}}}`,
    );
    await bad.untilCondition('deep', 'Accepted', 'False');
    expect((await bad.condition('deep', 'Accepted'))?.message).toContain('spec.podTemplate: expected at most 64 levels');
    await nobodyElseIsHurt();
    await restart();
    await nobodyElseIsHurt();
  });

  it('makes 70 ConfigMaps of 1 MB that say that they are ours', async () => {
    const labels = { 'app.kubernetes.io/managed-by': 'cccam-operator', 'cccam.dev/pool': 'nosuchpool' };
    for (let index = 0; index < 70; index += 1) {
      await tenant.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `m${index}`, labels },
        data: { a: '<'.repeat(1_000_000) },
      });
    }
    await nobodyElseIsHurt();
    await restart();
    await nobodyElseIsHurt();
  });

  it('makes 30 pools of 1 MB: each is refused, with the size that it may have', async () => {
    const env = Array.from({ length: 10_000 }, (_, index) => ({ name: `N${index}`, value: 'x'.repeat(60) }));
    const podTemplate = { spec: { containers: [{ name: 'c', image: 'i', env }] } };
    for (let index = 0; index < 30; index += 1)
      await tenant.createPool(`large${index}`, { backends: [{ name: 'a', replicas: 1 }], podTemplate });
    await bad.untilCondition('large29', 'Accepted', 'False');
    expect((await bad.condition('large29', 'Accepted'))?.message).toMatch(/spec\.podTemplate: expected at most 64 KiB, found \d+ KiB/);
    await nobodyElseIsHurt();
    await restart();
    await nobodyElseIsHurt();
  });

  it('makes pods that say that they are proxies: nothing connects to them', async () => {
    const agent = await HostileAgent.start(
      '127.94.0.1',
      keepTalking(() => 'x'),
    );
    agents.push(agent);
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
    const labels = { 'cccam.dev/pool': 'nosuchpool' };
    await tenant.createPool('mine', { backends: [{ name: 'a', external: { address: '192.0.2.1' } }] });
    for (const [pool, name] of [
      ['nosuchpool', 'nosuchpool-haproxy-abc'],
      ['mine', 'mine-haproxy-abc'],
    ] as const) {
      const uid = await tenant.create({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name, labels }, spec });
      await aFalseProxy(pool, { name, uid }, '127.94.0.1');
    }
    await nobodyElseIsHurt();
    expect(agent.connections).toBe(0);
  });

  it.each<[string, string, string, Parameters<typeof keepTalking>]>([
    ['a line that never ends', 'endless', '127.94.0.2', [() => 'x']],
    ['newlines', 'newlines', '127.94.0.3', [() => '\n'.repeat(10_000)]],
    ['valid lines without end', 'flood', '127.94.0.4', [() => '{"kind":"heartbeat"}\n'.repeat(1_000)]],
    [
      'servers that its pool does not have',
      'servers',
      '127.94.0.5',
      [() => `${JSON.stringify({ kind: 'server', ...aServerObservation({ name: `s${Math.random()}` }) })}\n`],
    ],
  ])('has a proxy send %s: it is disconnected, asked more and more seldom, and the pool says why', async (_what, name, address, talk) => {
    const agent = await aPoolWithHostileProxy(name, address, talk);
    await until('the pool says why', async () =>
      ((await bad.condition(name, 'ProxiesSynced'))?.message ?? '').includes('CCP_STREAM_LIMIT'),
    );
    await nobodyElseIsHurt();
    expect(agent.connections).toBeLessThan(6);
  });

  it('has a proxy change its mind many times a second: few passes and few writes come of it', async () => {
    let flips = 0;
    const flip = (): string => {
      flips += 1;
      const server = aServerObservation({
        name: 'a-192.0.2.1:12000',
        inRotation: flips % 2 === 0,
        health: flips % 2 === 0 ? 'up' : 'down',
      });
      return `${flips === 1 ? snapshot() : ''}${JSON.stringify({ kind: 'server', ...server })}\n`;
    };
    await aPoolWithHostileProxy('flips', '127.94.0.6', [flip, 60]);
    await until('the first reports are written', async () => flips > 600, 30_000);
    const before = await metrics(operator);
    const [from, seen] = [performance.now(), flips];
    await until('it flips on', () => flips > seen + 300, 30_000);
    const after = await metrics(operator);
    const seconds = (performance.now() - from) / 1_000;
    const rate = (name: string): number => (total(after, name) - total(before, name)) / seconds;
    expect(rate('controller_runtime_reconcile_total')).toBeLessThan(12);
    expect(rate('rest_client_requests_total')).toBeLessThan(12);
    await nobodyElseIsHurt();
  });

  it('annotates a pod of theirs again and again', async () => {
    await tenant.createPool('drains', { backends: [{ name: 'a', replicas: 1 }], podTemplate: aPodTemplate() });
    let pod: string | undefined;
    await until('its server has a pod', async () => {
      pod = (await bad.list(POD)).find(({ metadata }) => metadata.name.startsWith('drains-a-'))?.metadata.name;
      return pod !== undefined;
    });
    await giveAddress(pod ?? '', '127.94.0.7');
    const ref = { type: POD, namespace: bad.namespace, name: pod ?? '' };
    const before = total(await metrics(operator), 'controller_runtime_reconcile_total');
    const from = performance.now();
    for (let time = 0; time < 600; time += 1) {
      const annotations = { 'cccam.dev/drain': time % 2 === 0 ? 'true' : null };
      await tenant.client.merge(ref, { metadata: { annotations } }, 'tenant', AbortSignal.timeout(10_000));
      if (time === 300) await nobodyElseIsHurt();
    }
    const seconds = (performance.now() - from) / 1_000;
    const passes = total(await metrics(operator), 'controller_runtime_reconcile_total') - before;
    expect(passes).toBeLessThan(150 + 40 * seconds);
    await nobodyElseIsHurt();
    expect((await bad.get(CHILD_TYPES.ConfigMap, 'drains-haproxy'))?.metadata.name).toBe('drains-haproxy');
  });

  it.each([
    ['from a pod of theirs, and holds the call', '127.0.0.9', 3_000],
    ['as the node does, and gives the call up', '127.0.0.1', 300],
  ])('asks a proxy of another tenant to end, %s: it goes on', async (_what, localAddress, holdMs) => {
    const viewers = good.connect('p', 10);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    for (const pod of good.kubelet.named('p-haproxy')) {
      const call = request({ host: pod.address, port: 9_321, path: '/drain?deadlineMs=1000&close=true', localAddress });
      call.on('error', () => undefined).end();
      await systemClock.sleep(holdMs);
      call.destroy();
    }
    await throughout('nobody is cut', 3_000, async () => good.lost === 0);
    const newcomers = good.connect('p', 10);
    await until('newcomers are served', () => newcomers.clients.every((client) => client.servedBy !== null));
    await newcomers.leave();
    await viewers.leave();
    await nobodyElseIsHurt();
  });
});
