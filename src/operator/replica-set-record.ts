import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import { controllerOf, type KubeObject, objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';

/** A ReplicaSet: what stands between a Deployment and its pods. */
export interface ReplicaSetRecord extends Stored {
  /** Key of the pool that its label names. */
  readonly pool: string;
  /** Name and uid of the Deployment that controls it, or null. */
  readonly deployment: { readonly name: string; readonly uid: string } | null;
}

/** Reduces a ReplicaSet. */
export function replicaSetRecord({ metadata }: KubeObject): ReplicaSetRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels } = metadata;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    pool: objectKey(namespace, labels?.[POOL_LABEL] ?? ''),
    deployment: controllerOf(metadata, 'Deployment') ?? null,
  };
}
