import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
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
    // Kubernetes looks at a namespace that is being deleted again after half of its pods' longest grace period.
    await other.applyPool('q', { ...SPEC, drain: { deadline: '5s' } });
    // The second namespace is there, but nobody has given this operator any right in it.
    await cluster.startOperator({ args: ['--namespaces', `${cluster.namespace},${other.namespace}`] });
    await cluster.applyPool('p', SPEC);
    await cluster.untilCondition('p', 'Ready', 'True', 30_000);
    expect(await other.list(CHILD_TYPES.Deployment)).toEqual([]);
    await other.bindOperator('late', cluster.namespace);
    await until('its pool has its objects', async () => (await other.list(CHILD_TYPES.Deployment)).length === 2, 40_000);
  });

  it('lets a namespace be deleted with all that is in it, and goes on in the others', { timeout: 150_000 }, async () => {
    // As where the operator manages the whole cluster: its rights do not go with the namespace.
    const name = `all-${cluster.namespace}`;
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cccam-operator-by-hand' },
      subjects: [{ kind: 'ServiceAccount', name: 'cccam-operator', namespace: cluster.namespace }],
    };
    await cluster.create(binding, 'clusterrolebindings', '');
    await other.untilCondition('q', 'Ready', 'True', 30_000);
    await cluster.kubectl('delete', 'namespace', other.namespace, '--wait=false');
    const left = async (): Promise<unknown> =>
      (await cluster.admin.get({ type: NAMESPACE, namespace: '', name: other.namespace }, AbortSignal.timeout(15_000)))?.['status'] ?? null;
    await until('it is gone', async () => (await left()) === null, 100_000, left);
    await cluster.applyPool('p', { ...SPEC, weights: { policy: 'Equal' } });
    await cluster.untilCondition('p', 'Ready', 'True', 5_000);
    const failures = (await cluster.log())
      .split('\n')
      .filter((line) => line.includes('reconcile failed') && line.includes(other.namespace));
    expect(failures).toEqual([]);
    await cluster.kubectl('delete', 'clusterrolebinding', name);
  });
});
