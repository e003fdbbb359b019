import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES, POOL } from '../../src/operator/resources.ts';
import { SimulatedServer } from '../../src/simulate/server.ts';
import { until } from '../haproxy/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;
let attic: SimulatedServer;

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  attic = new SimulatedServer({ host: '127.59.0.1', port: 12_003, label: 'attic' });
  await attic.listen();
  await cluster.startOperator();
  await cluster.applyPool('living-room', {
    backends: [
      { name: 'rack', replicas: 2, capacity: { cores: 4, cards: 8, latencyMs: 10 } },
      { name: 'attic', external: { address: '192.0.2.1' }, port: 12_003, capacity: { cores: 2, cards: 4, latencyMs: 100 } },
    ],
    podTemplate: aPodTemplate(),
    proxy: { maxConnections: 2_000 },
  });
});

afterAll(async () => {
  await cluster.stop();
  await attic.kill();
});

describe('a pool', () => {
  it('becomes Ready, as kubectl sees it', async () => {
    await cluster.untilCondition('living-room', 'Ready', 'True', 8_000);
    await cluster.kubectl('wait', '--for=condition=Ready', 'ccp/living-room', '--timeout=10s');
    console.log(await cluster.kubectl('get', 'ccp'));
    console.log(JSON.stringify(await cluster.status('living-room')));
  });
});
