import { objectKey } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import { backendName, proxyName } from '../pool/resources/identity.ts';
import type { ChildRecord } from './child-record.ts';
import type { PodRecord } from './pod-record.ts';
import type { PoolRecord } from './pool-record.ts';
import type { ReplicaSetRecord } from './replica-set-record.ts';

/** What owners of pods are looked up in. */
export interface Owners {
  readonly pools: Pick<Store<PoolRecord>, 'get'>;
  readonly deployments: Pick<Store<ChildRecord>, 'get'>;
  readonly replicaSets: Pick<Store<ReplicaSetRecord>, 'get'>;
}

/**
 * Whether a pod is what its labels say: the pool is there and owns the Deployment of that backend or of the proxies, which owns the
 * ReplicaSet that controls the pod. Labels and names anyone in the namespace can write; uids are given by the API server.
 */
export function isPodOfPool(pod: PodRecord, { deployments, pools, replicaSets }: Owners): boolean {
  const { namespace, replicaSet } = pod;
  const poolName = pod.pool.slice(objectKey(namespace, '').length);
  const pool = pools.get(namespace, poolName);
  const set = replicaSet === null ? null : replicaSets.get(namespace, replicaSet.name);
  if (pool === null || replicaSet === null || set === null || set.uid !== replicaSet.uid || set.deployment === null) return false;
  if (set.deployment.name !== deploymentOf(pod, poolName)) return false;
  const deployment = deployments.get(namespace, set.deployment.name);
  return deployment !== null && deployment.uid === set.deployment.uid && deployment.facts.ownerUid === pool.uid;
}

function deploymentOf({ backend, proxy }: PodRecord, pool: string): string | null {
  if (proxy !== null) return proxyName({ name: pool });
  return backend === null ? null : backendName({ name: pool }, backend.backend);
}
