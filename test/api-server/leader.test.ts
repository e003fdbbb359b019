import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { LEASE } from '../../src/kube/lease.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
const signal = new AbortController().signal;

const SPEC = {
  backends: [{ name: 'a', replicas: 2 }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
};

beforeEach(async () => {
  cluster = await TestCluster.create(inject('access'));
});

afterEach(async () => {
  await cluster.stop();
});

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly renewTime: string;
  readonly leaseTransitions: number;
}

async function lease(): Promise<LeaseSpec | undefined> {
  return (await cluster.get(LEASE, 'cccam-operator'))?.['spec'] as LeaseSpec | undefined;
}

async function holder(): Promise<string> {
  return (await lease())?.holderIdentity ?? '';
}

async function readyPool(): Promise<void> {
  await cluster.applyPool('p', SPEC);
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
}

describe('leadership', () => {
  it('goes over within 3 s when the leader is told to end, and within 17 s when it is killed; viewers notice nothing', async () => {
    const first = await cluster.startOperator();
    await readyPool();
    const second = await cluster.startOperator();
    await cluster.untilReady(second);
    const viewers = cluster.connect('p', 20);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    const one = await holder();
    const stopped = cluster.stopOperator(first);
    const clean = await until('the second one leads', async () => ![one, ''].includes(await holder()), 10_000);
    expect(await stopped).toBe(0);
    expect(clean).toBeLessThan(3_000);
    const third = await cluster.startOperator();
    await cluster.untilReady(third);
    const two = await holder();
    await cluster.stopOperator(second, 'SIGKILL');
    const crash = await until('the third one leads', async () => (await holder()) !== two, 25_000);
    expect(crash).toBeLessThan(17_000);
    await cluster.applyPool('p', { ...SPEC, backends: [{ name: 'a', replicas: 2, weight: 7 }] });
    await until('it works', async () => (await cluster.status('p'))?.backends[0]?.weight === 7);
    expect(cluster.lost).toBe(0);
  });

  it('is lost for good by a process that was stopped: not one write comes from it afterwards', async () => {
    const zombie = await cluster.startOperator();
    await readyPool();
    const second = await cluster.startOperator();
    await cluster.untilReady(second);
    const one = await holder();
    zombie.process.kill('SIGSTOP');
    await until('the second one leads', async () => (await holder()) !== one, 25_000);
    // Something to do for whoever still thinks that he leads: both will see it.
    await cluster.applyPool('p', { ...SPEC, backends: [{ name: 'a', replicas: 2, weight: 9 }] });
    await until('the second one does it', async () => (await cluster.status('p'))?.backends[0]?.weight === 9);
    await cluster.stopOperator(second, 'SIGKILL'); // so that whatever is written now is written by the zombie
    await cluster.applyPool('p', { ...SPEC, backends: [{ name: 'a', replicas: 2, weight: 11 }] });
    const before = await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' }, 'p-haproxy');
    zombie.process.kill('SIGCONT');
    await until(
      'the zombie ends by itself',
      () => zombie.process.exitCode !== null,
      20_000,
      () => cluster.tails(),
    );
    expect(zombie.process.exitCode).toBe(1);
    const after = await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' }, 'p-haproxy');
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    expect((await cluster.status('p'))?.backends[0]?.weight).toBe(9);
  });

  it('is taken from a lease of the year 2099 and from another process that does not renew it', async () => {
    const spec = {
      holderIdentity: 'a-stranger',
      leaseDurationSeconds: 2_000_000,
      acquireTime: '2099-01-01T00:00:00.000000Z',
      renewTime: '2099-01-01T00:00:00.000000Z',
      leaseTransitions: 5,
    };
    await cluster.create(
      { apiVersion: LEASE.apiVersion, kind: LEASE.kind, metadata: { name: 'cccam-operator', namespace: cluster.namespace }, spec },
      'leases',
    );
    await cluster.startOperator();
    const taken = await until('it leads', async () => (await holder()) !== 'a-stranger', 30_000);
    expect(taken).toBeGreaterThan(14_000);
    await readyPool();
    const [operator] = cluster.operators;
    const mine = await lease();
    await cluster.admin.merge(
      { type: LEASE, namespace: cluster.namespace, name: 'cccam-operator' },
      { spec: { ...spec, leaseTransitions: (mine?.leaseTransitions ?? 0) + 1 } },
      'stranger',
      signal,
    );
    await until('the robbed one ends', () => operator?.process.exitCode === 1, 20_000);
    expect(await holder()).toBe('a-stranger');
    await systemClock.sleep(1);
  });
});
