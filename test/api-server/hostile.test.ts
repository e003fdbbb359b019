import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { anObservation, aServerObservation } from '../fakes/observations.ts';
import { throughout, until } from '../support/until.ts';
import { metrics, total } from './metrics.ts';
import { Neighbours } from './neighbours.ts';
import { HostileAgent, keepTalking } from './tenant.ts';
import { aPodTemplate } from './test-cluster.ts';

let neighbours: Neighbours;
const agents: HostileAgent[] = [];

beforeAll(async () => {
  neighbours = await Neighbours.create();
}, 120_000);

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

afterAll(async () => {
  await neighbours.stop();
});

/** A pod that says that it is a proxy of a pool, at an address where a process of the tenant answers. */
async function aFalseProxy(pool: string, owner: { name: string; uid: string }, address: string): Promise<void> {
  const name = `${owner.name}-x`;
  await neighbours.tenant.create({
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
  await neighbours.bad.admin.apply(
    { type: POD, namespace: neighbours.bad.namespace, name: pod },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace: neighbours.bad.namespace }, status },
    { manager: 'kubelet', force: true, subresource: 'status' },
    AbortSignal.timeout(10_000),
  );
}

/** A pool of the tenant, with the hostile agent where its proxy should be. */
async function aPoolWithHostileProxy(name: string, address: string, talk: Parameters<typeof keepTalking>): Promise<HostileAgent> {
  await neighbours.tenant.createPool(name, { backends: [{ name: 'a', external: { address: '192.0.2.1' } }], proxy: { replicas: 1 } });
  const agent = await HostileAgent.start(address, keepTalking(...talk));
  agents.push(agent);
  let pod: string | undefined;
  await until('its proxy has a pod', async () => {
    pod = (await neighbours.bad.list(POD)).find(({ metadata }) => metadata.name.startsWith(`${name}-haproxy-`))?.metadata.name;
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
  it('makes pods that say that they are proxies: nothing connects to them', async () => {
    const agent = await HostileAgent.start(
      '127.94.0.1',
      keepTalking(() => 'x'),
    );
    agents.push(agent);
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
    const labels = { 'cccam.dev/pool': 'nosuchpool' };
    await neighbours.tenant.createPool('mine', { backends: [{ name: 'a', external: { address: '192.0.2.1' } }] });
    for (const [pool, name] of [
      ['nosuchpool', 'nosuchpool-haproxy-abc'],
      ['mine', 'mine-haproxy-abc'],
    ] as const) {
      const uid = await neighbours.tenant.create({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name, labels }, spec });
      await aFalseProxy(pool, { name, uid }, '127.94.0.1');
    }
    await neighbours.nobodyElseIsHurt();
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
      ((await neighbours.bad.condition(name, 'ProxiesSynced'))?.message ?? '').includes('CCP_STREAM_LIMIT'),
    );
    await neighbours.nobodyElseIsHurt();
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
    const before = await metrics(neighbours.operator);
    const [from, seen] = [performance.now(), flips];
    await until('it flips on', () => flips > seen + 300, 30_000);
    const after = await metrics(neighbours.operator);
    const seconds = (performance.now() - from) / 1_000;
    const rate = (name: string): number => (total(after, name) - total(before, name)) / seconds;
    expect(rate('controller_runtime_reconcile_total')).toBeLessThan(12);
    expect(rate('rest_client_requests_total')).toBeLessThan(12);
    await neighbours.nobodyElseIsHurt();
  });

  it('annotates a pod of theirs again and again', async () => {
    await neighbours.tenant.createPool('drains', { backends: [{ name: 'a', replicas: 1 }], podTemplate: aPodTemplate() });
    let pod: string | undefined;
    await until('its server has a pod', async () => {
      pod = (await neighbours.bad.list(POD)).find(({ metadata }) => metadata.name.startsWith('drains-a-'))?.metadata.name;
      return pod !== undefined;
    });
    await giveAddress(pod ?? '', '127.94.0.7');
    const ref = { type: POD, namespace: neighbours.bad.namespace, name: pod ?? '' };
    const before = total(await metrics(neighbours.operator), 'controller_runtime_reconcile_total');
    const from = performance.now();
    for (let time = 0; time < 600; time += 1) {
      const annotations = { 'cccam.dev/drain': time % 2 === 0 ? 'true' : null };
      await neighbours.tenant.client.merge(ref, { metadata: { annotations } }, 'tenant', AbortSignal.timeout(10_000));
      if (time === 300) await neighbours.nobodyElseIsHurt();
    }
    const seconds = (performance.now() - from) / 1_000;
    const passes = total(await metrics(neighbours.operator), 'controller_runtime_reconcile_total') - before;
    expect(passes).toBeLessThan(150 + 40 * seconds);
    await neighbours.nobodyElseIsHurt();
    expect((await neighbours.bad.get(CHILD_TYPES.ConfigMap, 'drains-haproxy'))?.metadata.name).toBe('drains-haproxy');
  });

  it.each([
    ['from a pod of theirs, and holds the call', '127.0.0.9', 3_000],
    ['as the node does, and gives the call up', '127.0.0.1', 300],
  ])('asks a proxy of another tenant to end, %s: it goes on', async (_what, localAddress, holdMs) => {
    const viewers = neighbours.good.connect('p', 10);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    for (const pod of neighbours.good.kubelet.named('p-haproxy')) {
      const call = request({ host: pod.address, port: 9_321, path: '/drain?deadlineMs=1000&close=true', localAddress });
      call.on('error', () => undefined).end();
      await systemClock.sleep(holdMs);
      call.destroy();
    }
    await throughout('nobody is cut', 3_000, async () => neighbours.good.lost === 0);
    const newcomers = neighbours.good.connect('p', 10);
    await until('newcomers are served', () => newcomers.clients.every((client) => client.servedBy !== null));
    await newcomers.leave();
    await viewers.leave();
    await neighbours.nobodyElseIsHurt();
  });
});
