import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { until } from '../support/until.ts';
import { ControlPlane } from './control-plane.ts';
import { aPodTemplate, prepare, TestCluster } from './test-cluster.ts';

let plane: ControlPlane;
let cluster: TestCluster;

const spec = (weight: number) => ({
  backends: [{ name: 'a', replicas: 2, weight }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 2, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  plane = await ControlPlane.start();
  await prepare(plane.access);
  cluster = await TestCluster.create(plane.access);
  await cluster.startOperator();
  await cluster.applyPool('p', spec(10));
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
});

afterAll(async () => {
  await cluster.stop();
  await plane.stop();
});

describe('an API server that is gone for a minute', () => {
  it('is noticed by no viewer: sessions live, new ones come, a drain in progress ends', async () => {
    const viewers = cluster.connect('p', 20);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    const [drained, other] = cluster.kubelet.named('p-a-');
    await cluster.kubectl('annotate', 'pod', drained?.name ?? '', 'cccam.dev/drain=20s');
    await until('it drains', async () => (await cluster.status('p'))?.draining === 1);
    const held = drained?.server?.sessions ?? 0;
    expect(held).toBeGreaterThan(0);
    await plane.kill('kube-apiserver');
    const gone = performance.now();
    await until('the deadline is kept without it', () => drained?.server?.sessions === 0, 40_000);
    expect(performance.now() - gone).toBeGreaterThan(5_000);
    const newcomers = cluster.connect('p', 10);
    await until('newcomers are served', () => newcomers.clients.every((client) => client.servedBy === other?.server?.label));
    await systemClock.sleep(Math.max(0, 60_000 - (performance.now() - gone)));
    await plane.startApiServer();
    const back = performance.now();
    await cluster.applyPool('p', spec(20));
    await until(
      'it is followed again',
      async () => (await cluster.status('p'))?.backends[0]?.weight === 20,
      20_000,
      () => cluster.tails(),
    );
    await until(
      'and the drain is told',
      async () => (await cluster.podCondition(drained?.name ?? '', 'cccam.dev/Drained')) === 'True',
      20_000,
    );
    expect(performance.now() - back).toBeLessThan(20_000);
    expect(cluster.operators[0]?.process.exitCode).toBeNull(); // it went on with its caches and its own lease
    expect(other?.server?.sessions).toBeGreaterThan(10);
  }, 180_000);

  it('does not keep a proxy from starting: the mounted copy says what to be', async () => {
    const [pod] = cluster.kubelet.named('p-haproxy');
    if (pod === undefined) throw new Error('no proxy');
    await cluster.untilCondition('p', 'Ready', 'True', 30_000);
    await cluster.kubelet.copyMounted(pod);
    await plane.kill('kube-apiserver');
    await cluster.kubelet.restartProxy(pod);
    const answers = async (path: string): Promise<boolean> =>
      (await fetch(`http://${pod.address}:9321${path}`).catch(() => null))?.ok === true;
    await until(
      'the proxy is ready without an API server',
      async () => await answers('/readyz'),
      30_000,
      () => cluster.tails(),
    );
    const viewers = cluster.connect('p', 4);
    await until('clients are served', () => viewers.clients.every((client) => client.servedBy !== null));
    await plane.startApiServer();
  }, 120_000);
});
