import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { throughout, until } from '../support/until.ts';
import { FaultProxy } from './fault-proxy.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
let proxy: FaultProxy;
let weight = 10;

const spec = () => ({
  backends: [{ name: 'a', replicas: 2, weight }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  proxy = await FaultProxy.start(cluster.access);
  const operator = await cluster.startOperatorThrough(proxy.url);
  await cluster.applyPool('p', spec());
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
  const viewers = cluster.connect('p', 20);
  await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
  await cluster.untilReady(operator);
});

afterAll(async () => {
  await cluster.stop();
  await proxy.stop();
});

beforeEach(() => {
  proxy.fault = () => null;
  proxy.calls.length = 0;
});

/** Changes the pool and waits until the status says that it is in force. @returns milliseconds */
async function change(limitMs = 10_000): Promise<number> {
  weight += 1;
  await cluster.applyPool('p', spec());
  const took = await until(
    'the change is in force',
    async () => {
      const status = await cluster.status('p');
      return status?.backends[0]?.weight === weight && status.conditions.some((each) => each.type === 'Ready' && each.status === 'True');
    },
    limitMs,
    () => cluster.tails().slice(0, 9),
  );
  expect(cluster.lost).toBe(0);
  return took;
}

describe('an operator survives', () => {
  it('watches that are reset in the middle of a line', async () => {
    for (let round = 0; round < 5; round += 1) {
      proxy.resetWatches();
      await change(4_000);
    }
    expect(proxy.calls.filter((call) => call.path.includes('limit=100')).length).toBe(0); // it resumes, and lists nothing
  });

  it('watches that are told that they are too old, at once and over and over, without becoming hot', async () => {
    proxy.fault = (call, response) => {
      if (call.url?.includes('watch=true') !== true) return null;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } })}\n`);
      return 'answered';
    };
    proxy.resetWatches();
    await systemClock.sleep(8_000);
    const lists = proxy.calls.filter((call) => call.path.includes('limit=100'));
    expect(lists.length).toBeGreaterThan(10);
    expect(lists.length).toBeLessThan(10 * 8); // ten kinds, each at most about six times in so long
    await change(20_000); // by listing alone
    proxy.fault = () => null;
    await change(40_000);
  });

  it('429 with Retry-After: it waits as long as it was asked to', async () => {
    let refused = 0;
    let until429 = performance.now() + 3_000;
    proxy.fault = (call, response) => {
      if (call.method !== 'PATCH' || performance.now() > until429) return null;
      refused += 1;
      if (refused === 1) until429 = performance.now() + 2_000;
      response.writeHead(429, { 'retry-after': '2', 'content-type': 'application/json' });
      response.end('{"kind":"Status","code":429,"reason":"TooManyRequests","message":"later"}');
      return 'answered';
    };
    await change(15_000);
    expect(refused).toBeLessThan(4);
  });

  it('one answer of a hundred being a 500, for a while, under steady change', async () => {
    let calls = 0;
    proxy.fault = (_call, response) => {
      calls += 1;
      if (calls % 20 !== 0) return null; // more than one of a hundred, so that a short test meets some
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end('{"kind":"Status","code":500,"reason":"InternalError","message":"etcdserver: request timed out"}');
      return 'answered';
    };
    for (let round = 0; round < 15; round += 1) await change();
    expect(calls).toBeGreaterThan(40);
  });

  it('connections that are open and dead: it notices within 45 s and hears of what it missed', async () => {
    proxy.blackHole();
    const took = await change(60_000);
    expect(took).toBeLessThan(50_000);
  });

  it('a role that is taken from it, and says which', async () => {
    await cluster.kubectl('delete', 'rolebinding', 'cccam-operator-by-hand');
    weight += 1;
    await cluster.applyPool('p', spec());
    await until('it says what it may not', async () => /forbidden/i.test(await cluster.log()), 60_000);
    await throughout('it does not become hot', 3_000, () => proxy.calls.filter((call) => call.at > performance.now() - 1_000).length < 60);
    expect(cluster.operators[0]?.process.exitCode).toBeNull();
    await cluster.kubectl(
      'create',
      'rolebinding',
      'cccam-operator-by-hand',
      '--clusterrole=cccam-operator-by-hand',
      `--serviceaccount=${cluster.namespace}:cccam-operator`,
    );
    await change(60_000);
  });
});
