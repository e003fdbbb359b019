import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Viewers } from '../fakes/audience.ts';
import { throughout, until } from '../support/until.ts';
import { ControlPlane } from './control-plane.ts';
import { metrics, total } from './metrics.ts';
import { aPodTemplate, prepare, TestCluster } from './test-cluster.ts';

let plane: ControlPlane;
let cluster: TestCluster;
let viewers: Viewers;
let weight = 10;

const KINDS = 11;
const forever = new AbortController().signal;
const spec = () => ({
  backends: [{ name: 'a', replicas: 2, weight }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  plane = await ControlPlane.start();
  await prepare(plane.access);
  cluster = await TestCluster.create(plane.access);
  await cluster.startOperator();
  await cluster.applyPool('p', spec());
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
  viewers = cluster.connect('p', 20);
  await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
});

afterAll(async () => {
  await cluster.stop();
  await plane.stop();
});

afterEach(() => {
  expect(cluster.lost).toBe(0);
  expect(viewers.clients.every((client) => client.servedBy !== null)).toBe(true);
});

/** Changes the pool and waits until it is in force. */
async function change(limitMs: number): Promise<void> {
  weight += 1;
  await until('the change is taken', async () => await isDone(cluster.applyPool('p', spec())), 30_000);
  const done = async (): Promise<boolean> => (await cluster.status('p').catch(() => null))?.backends[0]?.weight === weight;
  await until('the change is in force', done, limitMs, () => cluster.tails());
}

async function isDone(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}

async function figure(name: string): Promise<number> {
  const [operator] = cluster.operators;
  return operator === undefined ? Number.NaN : total(await metrics(operator), name);
}

describe('an operator goes on, and no session ends', () => {
  it('over five restarts of the API server, with at most one list of each kind per restart', async () => {
    const before = await figure('cccam_operator_lists_total');
    for (let restart = 0; restart < 5; restart += 1) {
      await plane.kill('kube-apiserver');
      await plane.startApiServer();
      await change(30_000);
    }
    expect((await figure('cccam_operator_lists_total')) - before).toBeLessThanOrEqual(5 * KINDS);
  }, 180_000);

  it('when etcd has forgotten the versions that its watches stood at', async () => {
    for (let round = 0; round < 3; round += 1) await change(10_000);
    await plane.compact();
    await plane.kill('kube-apiserver');
    await plane.startApiServer();
    await change(30_000);
  }, 90_000);

  it('while etcd hangs, without asking it all the time', async () => {
    plane.signal('etcd', 'SIGSTOP');
    await systemClock.sleep(5_000); // calls under way have their time limit first
    const before = await figure('rest_client_requests_total');
    await systemClock.sleep(10_000);
    const calls = (await figure('rest_client_requests_total')) - before;
    plane.signal('etcd', 'SIGCONT');
    expect(calls).toBeLessThan(100);
    await change(40_000);
  }, 120_000);

  it('when etcd was restored from an older copy, so that versions count back', async () => {
    await plane.snapshot();
    const then = weight;
    for (let round = 0; round < 5; round += 1) await change(20_000);
    await plane.restore();
    await until('it is as it was', async () => (await cluster.status('p').catch(() => null))?.backends[0]?.weight === then, 60_000);
    await change(60_000);
    await cluster.untilCondition('p', 'Ready', 'True', 60_000);
  }, 240_000);

  it('against another client that undoes its every write: ever more seldom, and never hot', async () => {
    const ref = { type: CHILD_TYPES.Role, namespace: cluster.namespace, name: 'p-haproxy' };
    const isRight = async (): Promise<boolean> => (((await cluster.admin.get(ref, forever))?.['rules'] ?? []) as object[]).length > 0;
    let fights = true;
    let undone = 0;
    const opponent = (async () => {
      while (fights) {
        if (await isRight()) {
          undone += 1;
          await cluster.admin.merge(ref, { rules: [] }, 'opponent', forever);
        }
        await systemClock.sleep(5);
      }
    })();
    await until('it was undone several times', () => undone >= 4, 30_000);
    const before = undone;
    await systemClock.sleep(5_000);
    expect(undone - before).toBeLessThan(5);
    fights = false;
    await opponent;
    await until('it is right in the end', isRight, 90_000);
  }, 180_000);

  it('with clocks that are ten minutes wrong: one leads, and the other does not take over before its time', async () => {
    const skewed = async (ms: number): Promise<void> => {
      const env = { CLOCK_SKEW_MS: String(ms) };
      await cluster.untilReady(await cluster.startOperator({ preload: './test/fakes/skewed-clock.ts', env }));
    };
    await skewed(600_000);
    await skewed(-600_000);
    const leaders = async (): Promise<number> => {
      const texts = await Promise.all(cluster.operators.map(async (operator) => await metrics(operator)));
      return texts.reduce((sum, text) => sum + total(text, 'leader_election_master_status'), 0);
    };
    await throughout('one leads', 20_000, async () => (await leaders()) === 1);
    const [first] = cluster.operators;
    if (first !== undefined) await cluster.stopOperator(first);
    await until('another one leads, by whichever wrong clock', async () => (await leaders()) === 1);
    await throughout('it goes on leading', 5_000, async () => (await leaders()) === 1);
  }, 120_000);
});
