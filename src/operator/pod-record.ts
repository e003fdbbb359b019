import {
  BACKEND_LABEL,
  DRAIN_ANNOTATION,
  DRAIN_SINCE_ANNOTATION,
  DRAINED_CONDITION,
  IN_ROTATION_CONDITION,
  POOL_LABEL,
  PORT_ANNOTATION,
} from '../api/v1alpha1/index.ts';
import type { KubeObject, ObjectMeta } from '../kube/resource.ts';
import { objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import { DELETION_COST_ANNOTATION } from '../pool/pod-patch.ts';
import { backendName, COMPONENT_LABEL, proxyName } from '../pool/resources/identity.ts';
import type { PodFacts } from '../pool/server-state.ts';
import { readAddress } from '../runtime/server-address.ts';

/** A pod of a pool, reduced to what is needed of it. */
export interface PodRecord extends Stored {
  /** Key of the pool. */
  readonly pool: string;
  /** Set for the pod of a backend. */
  readonly backend: PodFacts | null;
  /** Set for a proxy. */
  readonly proxy: ProxyPod | null;
}

export interface ProxyPod {
  readonly uid: string;
  readonly name: string;
  readonly address: string | null;
  readonly ready: boolean;
  readonly ending: boolean;
}

interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime?: string }[];
}

/** Reduces a pod. One that only carries our labels, and that no Deployment of the pool has made, belongs to nobody. */
export function podRecord(object: KubeObject): PodRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels } = object.metadata;
  const pool = labels?.[POOL_LABEL] ?? '';
  const backend = labels?.[BACKEND_LABEL] ?? '';
  const status = (object['status'] ?? {}) as PodStatus;
  const ended = status.phase === 'Succeeded' || status.phase === 'Failed';
  const isProxy = !ended && labels?.[COMPONENT_LABEL] === 'proxy' && isMadeBy(object.metadata, proxyName({ name: pool }));
  const isBackend = labels?.[COMPONENT_LABEL] === 'backend' && isMadeBy(object.metadata, backendName({ name: pool }, backend));
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    pool: objectKey(namespace, pool),
    backend: isBackend ? backendFacts(object.metadata, status, backend) : null,
    proxy: isProxy
      ? { uid, name, address: canonical(status.podIP), ready: is(status, 'Ready'), ending: object.metadata.deletionTimestamp !== undefined }
      : null,
  };
}

function backendFacts(metadata: ObjectMeta, status: PodStatus, backend: string): PodFacts | null {
  const { annotations = {} } = metadata;
  const port = Number(annotations[PORT_ANNOTATION]);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    backend,
    port,
    address: canonical(status.podIP),
    endingSince: endingSince(metadata),
    drain: annotations[DRAIN_ANNOTATION] ?? null,
    drainSince: annotations[DRAIN_SINCE_ANNOTATION] ?? null,
    containersReady: is(status, 'ContainersReady'),
    finished: status.phase === 'Succeeded' || status.phase === 'Failed',
    deletionCost: annotations[DELETION_COST_ANNOTATION] ?? null,
    conditions: new Map(
      (status.conditions ?? [])
        .filter((condition) => condition.type === DRAINED_CONDITION || condition.type === IN_ROTATION_CONDITION)
        .map((condition) => [condition.type, { status: condition.status, since: condition.lastTransitionTime ?? '' }]),
    ),
  };
}

/** A pod of a Deployment is controlled by a ReplicaSet that has the Deployment's name and a hash. */
function isMadeBy(metadata: ObjectMeta, deployment: string): boolean {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner?.kind === 'ReplicaSet' && owner.name.startsWith(`${deployment}-`) && !owner.name.slice(deployment.length + 1).includes('-');
}

/** `deletionTimestamp` is when the pod's time is up; it was asked to end its grace period before. */
function endingSince({ deletionTimestamp, deletionGracePeriodSeconds = 0 }: ObjectMeta): number | null {
  if (deletionTimestamp === undefined) return null;
  const end = Date.parse(deletionTimestamp);
  return Number.isFinite(end) ? end - deletionGracePeriodSeconds * 1_000 : null;
}

function is(status: PodStatus, type: string): boolean {
  return status.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

/** Addresses come from the node; whatever is not one never gets any further. */
function canonical(text: string | undefined): string | null {
  const reading = readAddress(text ?? '', { loopback: true });
  return reading.kind === 'address' ? reading.canonical : null;
}
