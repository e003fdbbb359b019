import {
  AGENT_IMAGE_ANNOTATION,
  AGENT_PORT_ANNOTATION,
  AGENT_REPLACED_ANNOTATION,
  BACKEND_AGENT,
  BACKEND_LABEL,
  DRAIN_ANNOTATION,
  DRAIN_SINCE_ANNOTATION,
  DRAINED_CONDITION,
  IN_ROTATION_CONDITION,
  POOL_LABEL,
  PORT_ANNOTATION,
  PROXY_AGENT,
} from '../api/v1alpha1/index.ts';
import { controllerOf, type KubeObject, type ObjectMeta, objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import type { AgentFacts } from '../pool/agent-upgrade.ts';
import type { PodFacts } from '../pool/pod-facts.ts';
import { DELETION_COST_ANNOTATION } from '../pool/pod-patch.ts';
import { COMPONENT_LABEL } from '../pool/resources/identity.ts';
import { readAddress } from '../runtime/server-address.ts';
import { shortText } from '../runtime/short-text.ts';

/** A pod that says that it is of a pool, reduced to what is needed of it. Whether it is, `isPodOfPool` tells. */
export interface PodRecord extends Stored {
  /** Key of the pool. */
  readonly pool: string;
  /** The ReplicaSet that controls it, or null. */
  readonly replicaSet: { readonly name: string; readonly uid: string } | null;
  /** Set for the pod of a backend. */
  readonly backend: PodFacts | null;
  /** Set for a proxy. */
  readonly proxy: ProxyPod | null;
}

/** The pod of a proxy, reduced to what is needed of it. */
export interface ProxyPod {
  readonly uid: string;
  readonly name: string;
  readonly address: string | null;
  readonly ready: boolean;
  /** When its deletion was requested, and its grace period; null while it is not terminating. */
  readonly terminatingSince: number | null;
  readonly gracePeriodMs: number | null;
  readonly agent: AgentFacts | null;
}

const TEXT_LENGTH = 1_024;

interface PodSpec {
  readonly initContainers?: readonly { readonly name: string; readonly image?: string }[];
}

interface PodStatus {
  readonly initContainerStatuses?: readonly { readonly name: string; readonly ready?: boolean; readonly containerID?: string }[];
  readonly phase?: string;
  readonly podIP?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime?: string }[];
}

/** Reduces a pod. */
export function podRecord(object: KubeObject): PodRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels } = object.metadata;
  const pool = labels?.[POOL_LABEL] ?? '';
  const backend = labels?.[BACKEND_LABEL] ?? '';
  const status = (object['status'] ?? {}) as PodStatus;
  const ended = status.phase === 'Succeeded' || status.phase === 'Failed';
  const isProxy = !ended && labels?.[COMPONENT_LABEL] === 'proxy';
  const isBackend = labels?.[COMPONENT_LABEL] === 'backend' && backend !== '';
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    pool: objectKey(namespace, pool),
    replicaSet: controllerOf(object.metadata, 'ReplicaSet') ?? null,
    backend: isBackend ? backendFacts(object, status, backend) : null,
    proxy: isProxy
      ? {
          uid,
          name,
          address: canonical(status.podIP),
          ready: is(status, 'Ready'),
          ...endOf(object.metadata),
          agent: agentFacts(object, status, PROXY_AGENT.name),
        }
      : null,
  };
}

/** What is kept of a pod that cannot be read: it is no server and no proxy. */
export function podOutline({ metadata }: KubeObject): PodRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels } = metadata;
  const pool = objectKey(namespace, labels?.[POOL_LABEL] ?? '');
  return { name, namespace, uid, resourceVersion, pool, replicaSet: null, backend: null, proxy: null };
}

function backendFacts(object: KubeObject, status: PodStatus, backend: string): PodFacts | null {
  const { metadata } = object;
  const { annotations = {} } = metadata;
  const port = readPort(annotations[PORT_ANNOTATION]);
  if (port === null) return null;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    backend,
    port,
    address: canonical(status.podIP),
    ...endOf(metadata),
    drain: short(annotations[DRAIN_ANNOTATION]),
    drainSince: short(annotations[DRAIN_SINCE_ANNOTATION]),
    containersReady: is(status, 'ContainersReady'),
    finished: status.phase === 'Succeeded' || status.phase === 'Failed',
    agentPort: readPort(annotations[AGENT_PORT_ANNOTATION]),
    agent: agentFacts(object, status, BACKEND_AGENT.name),
    deletionCost: short(annotations[DELETION_COST_ANNOTATION]),
    conditions: new Map(
      (status.conditions ?? [])
        .filter((condition) => condition.type === DRAINED_CONDITION || condition.type === IN_ROTATION_CONDITION)
        .map((condition) => [condition.type, { status: condition.status, since: condition.lastTransitionTime ?? '' }]),
    ),
  };
}

/** An annotation may be 256 KiB long, and an image's name longer; nothing that is read here is. */
function short(text: string | undefined): string | null {
  return text === undefined ? null : shortText(text, TEXT_LENGTH);
}

function readPort(text: string | undefined): number | null {
  const port = Number(text);
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : null;
}

function agentFacts(object: KubeObject, status: PodStatus, container: string): AgentFacts | null {
  const { initContainers } = (object['spec'] ?? {}) as PodSpec;
  const image = initContainers?.find(({ name }) => name === container)?.image;
  const seen = status.initContainerStatuses?.find(({ name }) => name === container);
  if (image === undefined) return null;
  return {
    image: short(object.metadata.annotations?.[AGENT_IMAGE_ANNOTATION]) ?? shortText(image, TEXT_LENGTH),
    containerId: short(seen?.containerID),
    ready: seen?.ready === true,
    replaced: short(object.metadata.annotations?.[AGENT_REPLACED_ANNOTATION]),
  };
}

/** `deletionTimestamp` is when the pod's time is up; it was asked to end its grace period before. */
function endOf({ deletionTimestamp, deletionGracePeriodSeconds = 0 }: ObjectMeta): {
  terminatingSince: number | null;
  gracePeriodMs: number | null;
} {
  if (deletionTimestamp === undefined) return { terminatingSince: null, gracePeriodMs: null };
  const end = Date.parse(deletionTimestamp);
  const gracePeriodMs = deletionGracePeriodSeconds * 1_000;
  return { terminatingSince: Number.isFinite(end) ? end - gracePeriodMs : null, gracePeriodMs };
}

function is(status: PodStatus, type: string): boolean {
  return status.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

/** Addresses come from the node; whatever is not one never gets any further. */
function canonical(text: string | undefined): string | null {
  const reading = readAddress(text ?? '', { loopback: true });
  return reading.kind === 'address' ? reading.canonical : null;
}
