import type { KubeObject } from '../../src/kube/resource.ts';
import { Store, type Stored } from '../../src/kube/store.ts';
import { childRecord } from '../../src/operator/child-record.ts';
import type { Owners } from '../../src/operator/pod-owner.ts';
import { type PodRecord, podRecord } from '../../src/operator/pod-record.ts';
import { PoolReader } from '../../src/operator/pool-record.ts';
import { replicaSetRecord } from '../../src/operator/replica-set-record.ts';

/** What a tenant may have made instead of what the operator has made; null for nothing. */
export interface OwnerChanges {
  readonly pool?: { readonly uid: string } | null;
  readonly deployment?: { readonly uid?: string; readonly owner?: string } | null;
  readonly replicaSet?: { readonly uid?: string; readonly owner?: string | null } | null;
}

const owner = (kind: string, name: string, uid: string) => ({ apiVersion: 'v1', kind, name, uid, controller: true });

function anObject(kind: string, name: string, metadata: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'n', resourceVersion: '1', labels: { 'cccam.dev/pool': 'p' }, ...metadata },
  };
}

/** The pod of a proxy of the pool `n/p`, or of a backend. @param changes `label`: what it says that it is of, where that is a lie */
export function aProxyPod(
  changes: { backend?: string; label?: string; component?: string; uid?: string; podIP?: string } = {},
): KubeObject {
  const { backend, component = backend === undefined && changes.label === undefined ? 'proxy' : 'backend', label = backend } = changes;
  const made = backend ?? 'haproxy';
  const pod = anObject('Pod', `p-${made}-6c9f-x`, {
    uid: changes.uid ?? 'u-pod',
    labels: { 'cccam.dev/pool': 'p', 'cccam.dev/component': component, ...(label === undefined ? {} : { 'cccam.dev/backend': label }) },
    annotations: { 'cccam.dev/port': '12000' },
    ownerReferences: [owner('ReplicaSet', `p-${made}-6c9f`, `u-set-${made}`)],
  });
  return { ...pod, status: { podIP: changes.podIP ?? '10.0.0.1' } };
}

/** What a cluster with the pool `n/p` holds, with the Deployments of its proxies and of the backend `a`. */
export function ownersOf({ deployment = {}, pool = { uid: 'u' }, replicaSet = {} }: OwnerChanges): {
  owners: Owners;
  record: (pod: KubeObject) => PodRecord;
} {
  const store = <T extends Stored>(project: (object: KubeObject) => T): Store<T> =>
    new Store<T>(
      project,
      () => '',
      () => undefined,
    );
  const pools = store((object) => new PoolReader().read(object));
  const [deployments, replicaSets] = [store((object) => childRecord(object)), store(replicaSetRecord)];
  if (pool !== null) pools.put(anObject('CccamPool', 'p', pool));
  for (const made of ['haproxy', 'a']) {
    const uid = deployment?.uid ?? `u-deployment-${made}`;
    if (deployment !== null)
      deployments.put(anObject('Deployment', `p-${made}`, { uid, ownerReferences: [owner('CccamPool', 'p', deployment.owner ?? 'u')] }));
    const owners = replicaSet?.owner === null ? [] : [owner('Deployment', `p-${made}`, replicaSet?.owner ?? `u-deployment-${made}`)];
    if (replicaSet !== null)
      replicaSets.put(anObject('ReplicaSet', `p-${made}-6c9f`, { uid: replicaSet.uid ?? `u-set-${made}`, ownerReferences: owners }));
  }
  return { owners: { pools, deployments, replicaSets }, record: podRecord };
}
