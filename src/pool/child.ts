import type { V1OwnerReference } from '@kubernetes/client-node';
import { APPLIED_ANNOTATION } from '../api/v1alpha1/index.ts';
import { digest } from '../runtime/digest.ts';

/** Kinds of objects that a pool owns. */
export const CHILD_KINDS = [
  'ConfigMap',
  'ServiceAccount',
  'Role',
  'RoleBinding',
  'Service',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'Deployment',
] as const;
/** A kind of object that a pool owns. */
export type ChildKind = (typeof CHILD_KINDS)[number];

/** Metadata of an object that a pool owns. */
export interface ChildMetadata {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  ownerReferences: V1OwnerReference[];
}

/** An object that the pool should own, as it is applied. */
export interface Child {
  readonly apiVersion: string;
  readonly kind: ChildKind;
  readonly metadata: ChildMetadata;
  readonly [field: string]: unknown;
}

/** An object of the API, as the client's types describe it, with its kind. For `satisfies` in builders. */
export type ChildOf<Kind extends ChildKind, Resource> = Resource & { readonly kind: Kind };

/** What is known of an object with the name of a child. */
export interface ChildFacts {
  readonly uid: string;
  /** Uid of the object that controls it, or null. */
  readonly ownerUid: string | null;
  /** What was applied last, by its name. */
  readonly applied: string | null;
  /** Names the content as the API server holds it. */
  readonly fingerprint: string;
  /** The content as `comparable` gives it, where it has not been compared yet and is not too large to be kept. */
  readonly content: { readonly value: Readonly<Record<string, unknown>> } | null;
  readonly deployment: DeploymentFacts | null;
}

/** How far a Deployment has come with its pods. */
export interface DeploymentFacts {
  /** Name of its pod template. */
  readonly template: string | null;
  /** Image of the agent in new pods, as it was asked for; null where they have none. */
  readonly agentImage: string | null;
  readonly paused: boolean;
  /** Whether the controller has seen the latest of it. */
  readonly observed: boolean;
  /** Pods that are wanted. */
  readonly wanted: number;
  readonly updated: number;
  readonly total: number;
  readonly available: number;
}

/** `Kind/name`. */
export function childKey(child: { readonly kind: string; readonly metadata: { readonly name: string } }): string {
  return `${child.kind}/${child.metadata.name}`;
}

/** Names a piece of content: the same content gives the same name, and nothing else does. 16 hexadecimal digits. */
export function contentName(content: unknown): string {
  return digest(JSON.stringify(content));
}

/** The child with the name of its own content written on it. */
export function named(child: Child): Child {
  const applied = contentName(child);
  return { ...child, metadata: { ...child.metadata, annotations: { ...child.metadata.annotations, [APPLIED_ANNOTATION]: applied } } };
}

/** Whether an object is ours to change: not there, or controlled by the pool. */
export function isOurs(facts: ChildFacts | undefined, poolUid: string): boolean {
  return facts === undefined || facts.ownerUid === poolUid;
}

/**
 * Whether a child is to be applied: it is not there, it should be different, or it was changed by something else.
 *
 * @param child as `named` gives it
 * @param verified fingerprint of what the API server made of this very content, where that is known: it fills in defaults and writes
 *   quantities in a form of its own, which is no difference
 */
export function differs(child: Child, facts: ChildFacts | undefined, verified: string | null): boolean {
  if (facts === undefined || facts.applied !== child.metadata.annotations[APPLIED_ANNOTATION]) return true;
  if (facts.deployment !== null && (countOf(child) ?? facts.deployment.wanted) !== facts.deployment.wanted) return true;
  if (facts.fingerprint === verified) return false;
  const { labels, annotations, ownerReferences } = child.metadata;
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...body } = child;
  return facts.content === null || !covers(facts.content.value, { ...comparable(body), labels, annotations, ownerReferences });
}

/** How many pods a Deployment asks for; undefined where an autoscaler decides that. */
export function countOf(child: Child): number | undefined {
  return (child['spec'] as { readonly replicas?: number } | undefined)?.replicas;
}

/**
 * What of an object is compared: not the count of a Deployment, which an autoscaler may change without changing what was applied; and of
 * the data of a ConfigMap its name, for it is large, and the API server fills nothing in there.
 */
export function comparable(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { binaryData, data, spec, ...rest } = body;
  return {
    ...rest,
    ...(spec === undefined ? {} : { spec: withoutCount(spec) }),
    ...(data === undefined ? {} : { data: nameOf(data) }),
    ...(binaryData === undefined ? {} : { binaryData: nameOf(binaryData) }),
  };
}

/** Whatever the order of its keys is; nothing for an empty one, which the API server leaves out. */
function nameOf(data: unknown): string | undefined {
  const entries = Object.entries(data as object);
  return entries.length === 0 ? undefined : contentName(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutCount(spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null || !('replicas' in spec)) return spec;
  const { replicas: _replicas, ...others } = spec;
  return others;
}

/** Whether an object holds everything that is wanted: objects may hold more, lists may not. The API server leaves out what is false or empty. */
export function covers(actual: unknown, wanted: unknown): boolean {
  if (actual === undefined && (wanted === false || (Array.isArray(wanted) && wanted.length === 0))) return true;
  if (Array.isArray(wanted)) {
    return Array.isArray(actual) && actual.length === wanted.length && wanted.every((each, index) => covers(actual[index], each));
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof actual !== 'object' || actual === null) return Object.keys(wanted).length === 0 && actual === undefined;
    return Object.entries(wanted).every(([key, value]) => covers(Reflect.get(actual, key), value));
  }
  return wanted === undefined ? true : actual === wanted;
}

/** Whether a list in an object has more entries than it should: others have added some. */
export function holdsMore(actual: unknown, wanted: unknown): boolean {
  if (typeof actual !== 'object' || actual === null || typeof wanted !== 'object' || wanted === null) return false;
  if (Array.isArray(actual) && Array.isArray(wanted) && actual.length > wanted.length) return true;
  return Object.entries(wanted).some(([key, value]) => holdsMore(Reflect.get(actual, key), value));
}
