import type { TestCluster } from './test-cluster.ts';

/** Evicts a pod, as the drain of a node does. @throws KubeApiError when a disruption budget forbids it */
export async function evict(cluster: TestCluster, name: string): Promise<void> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: cluster.namespace } };
  const path = `/api/v1/namespaces/${cluster.namespace}/pods/${name}/eviction`;
  await cluster.admin.transport.request({ method: 'POST', path, body, signal: new AbortController().signal });
}
