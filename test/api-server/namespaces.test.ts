import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

const SPEC = { backends: [{ name: 'a', replicas: 1 }], podTemplate: aPodTemplate(), proxy: { maxConnections: 2_000 } };

let cluster: TestCluster;
let other: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  other = await TestCluster.create(inject('access'));
});

afterAll(async () => {
  await cluster.stop();
  await other.stop();
});

describe('an operator of several namespaces', () => {
  it('manages those that it may look at while another one is refused, and after that one once it is not', async () => {
    await other.applyPool('q', SPEC);
    // The second namespace is there, but nobody has given this operator any right in it.
    await cluster.startOperator({ args: ['--namespaces', `${cluster.namespace},${other.namespace}`] });
    await cluster.applyPool('p', SPEC);
    await cluster.untilCondition('p', 'Ready', 'True', 30_000);
    expect(await other.list(CHILD_TYPES.Deployment)).toEqual([]);
    await other.create(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'late', namespace: other.namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cccam-operator-by-hand' },
        subjects: [{ kind: 'ServiceAccount', name: 'cccam-operator', namespace: cluster.namespace }],
      },
      'rolebindings',
    );
    await until('its pool has its objects', async () => (await other.list(CHILD_TYPES.Deployment)).length === 2, 40_000);
  });
});
