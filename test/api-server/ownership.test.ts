import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { throughout, until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;

const SPEC = {
  backends: [{ name: 'rack', replicas: 1 }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, service: { type: 'ClusterIP' } },
};

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  await cluster.startOperator();
});

afterAll(async () => {
  await cluster.stop();
});

describe('a pool', () => {
  it('takes out what others add to its pods and its Service', async () => {
    await cluster.applyPool('living-room', SPEC);
    await cluster.untilCondition('living-room', 'Ready', 'True', 40_000);
    const container = { name: 'miner', image: 'miner:1' };
    const inPods = { spec: { template: { spec: { hostPID: true, hostIPC: true, containers: [container] } } } };
    const inService = { spec: { externalIPs: ['192.0.2.200'], publishNotReadyAddresses: true, ports: [{ name: 'more', port: 1_234 }] } };
    await cluster.kubectl('patch', 'deployment', 'living-room-haproxy', '-p', JSON.stringify(inPods));
    await cluster.kubectl(
      'patch',
      'deployment',
      'living-room-rack',
      '-p',
      JSON.stringify({ spec: { template: { spec: { containers: [container] } } } }),
    );
    await cluster.kubectl('patch', 'service', 'living-room', '-p', JSON.stringify(inService));
    await until('it is taken out', async () => {
      const kinds = [
        [CHILD_TYPES.Deployment, 'living-room-haproxy'],
        [CHILD_TYPES.Deployment, 'living-room-rack'],
        [CHILD_TYPES.Service, 'living-room'],
      ] as const;
      const texts = await Promise.all(kinds.map(async ([type, name]) => JSON.stringify((await cluster.get(type, name))?.['spec'])));
      return !/miner|"hostPID":true|"hostIPC":true|192\.0\.2\.200|"publishNotReadyAddresses":true|1234/.test(texts.join());
    });
    await cluster.untilCondition('living-room', 'Progressing', 'False/Settled', 60_000);
    await cluster.untilCondition('living-room', 'Ready', 'True');
  });
});

describe('an account with the name of the proxies’ that something else owns', () => {
  it('is not used, though nothing shows that it is there', async () => {
    const [pool, name] = ['pantry', 'pantry-haproxy'];
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: cluster.namespace } }, 'serviceaccounts');
    await cluster.applyPool(pool, SPEC);
    await cluster.untilCondition(pool, 'Degraded', 'True/NotOwned');
    await throughout('no proxy is made', 1_000, async () => (await cluster.get(CHILD_TYPES.Deployment, name)) === null);
    expect(await cluster.get(CHILD_TYPES.Deployment, 'pantry-rack')).not.toBeNull();
    await cluster.kubectl('delete', 'ccp', pool);
  });
});

describe('an object with the name of a child that something else owns', () => {
  it('is never touched, and is reported', async () => {
    const name = 'kitchen-haproxy';
    await cluster.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: cluster.namespace }, data: { mine: 'yes' } },
      'configmaps',
    );
    await cluster.create(
      {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: {
          name,
          namespace: cluster.namespace,
          labels: { 'app.kubernetes.io/managed-by': 'cccam-operator', 'cccam.dev/pool': 'kitchen' },
        },
      },
      'serviceaccounts',
    );
    const before = await cluster.get(CHILD_TYPES.ConfigMap, name);
    await cluster.applyPool('kitchen', SPEC);
    await cluster.untilCondition('kitchen', 'Degraded', 'True/NotOwned');
    await until('both are named', async () => {
      const message = (await cluster.condition('kitchen', 'Degraded'))?.message ?? '';
      return message.includes(`ConfigMap/${name}`) && message.includes(`ServiceAccount/${name}`);
    });
    await throughout(
      'it stays as it was',
      1_000,
      async () => (await cluster.get(CHILD_TYPES.ConfigMap, name))?.metadata.resourceVersion === before?.metadata.resourceVersion,
    );
    expect((await cluster.get(CHILD_TYPES.ServiceAccount, name))?.metadata.ownerReferences).toBeUndefined();
    expect(await cluster.get(CHILD_TYPES.Deployment, name)).toBeNull();
    await cluster.kubectl('delete', 'ccp', 'kitchen');
    expect(await cluster.get(CHILD_TYPES.ConfigMap, name)).not.toBeNull();
  });
});
