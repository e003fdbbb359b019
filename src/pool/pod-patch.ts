import { DRAIN_SINCE_ANNOTATION, DRAINED_CONDITION, IN_ROTATION_CONDITION } from '../api/v1alpha1/index.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import type { PoolServer } from './decide.ts';
import type { PodFacts } from './pod-facts.ts';
import type { ServerFacts } from './proxy-summary.ts';
import type { RosterEntry } from './roster.ts';

/** ReplicaSets end the pod with the lowest cost first, among those that are equally ready. */
export const DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
const COSTS = { draining: '-100', drained: '-1000' } as const;

/** A condition as it should be on a pod. */
export interface PodCondition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

/** What is to be written on a pod; null where it is right already. */
export interface PodPatch {
  readonly name: string;
  readonly uid: string;
  /** Null as a value takes the annotation away. */
  readonly annotations: Readonly<Record<string, string | null>> | null;
  /** Every condition of ours that the pod should have. */
  readonly conditions: readonly PodCondition[] | null;
}

/**
 * What should be written on a pod: when its drain began, so that a new leader goes on with the same clock; whether sessions remain; whether
 * every proxy routes to it; and what it would cost to end it.
 *
 * @param server null while the pod is no server of the pool
 * @returns null when nothing is to be written
 */
export function podPatch(pod: PodFacts, server: PoolServer | null, now: number): PodPatch | null {
  if (pod.finished) return null;
  const drained = server?.verdict.kind === 'drained';
  const annotations = annotationChanges(pod, server?.entry ?? null, drained);
  const conditions = conditionChanges(pod, server, now);
  return annotations === null && conditions === null ? null : { name: pod.name, uid: pod.uid, annotations, conditions };
}

/** It comes into rotation when a proxy that takes clients routes to it, and leaves it when their HAProxies do not any more. */
function isRouted(pod: PodFacts, { inRotation, staysInRotation }: ServerFacts): boolean {
  return inRotation || (staysInRotation && pod.conditions.get(IN_ROTATION_CONDITION)?.status === 'True');
}

function annotationChanges(pod: PodFacts, entry: RosterEntry | null, drained: boolean): Record<string, string | null> | null {
  if (pod.terminatingSince !== null) return null; // when it was deleted says the API server itself
  const drain = entry?.drain;
  const requested = drain?.kind === 'draining';
  const since = requested ? new Date(drain.since).toISOString() : null;
  const cost = drained ? COSTS.drained : requested ? COSTS.draining : null;
  const changes: Record<string, string | null> = {};
  if (since !== pod.drainSince) changes[DRAIN_SINCE_ANNOTATION] = since;
  // A cost that something else has set stays.
  const ours = pod.deletionCost === null || Object.values<string>(COSTS).includes(pod.deletionCost);
  if (ours && cost !== pod.deletionCost) changes[DELETION_COST_ANNOTATION] = cost;
  return Object.keys(changes).length === 0 ? null : changes;
}

/** What each state of our conditions says. */
const WORDS = {
  routed: { reason: 'Routed', message: 'Every proxy routes to it.' },
  notRouted: { reason: 'NotRouted', message: 'Not every proxy routes to it.' },
  empty: { reason: 'Empty', message: 'It has no sessions left.' },
  draining: { reason: 'Draining', message: 'It still has sessions.' },
  notDraining: { reason: 'NotDraining', message: 'It is not being drained.' },
} as const;

function conditionChanges(pod: PodFacts, server: PoolServer | null, now: number): PodCondition[] | null {
  if (server !== null && server.facts === null) return null; // nothing is known, and what was written stands
  const drained = server?.verdict.kind === 'drained';
  const draining = drained || server?.verdict.kind === 'draining';
  const routed = server !== null && server.facts !== null && isRouted(pod, server.facts);
  const rotation = condition(pod, IN_ROTATION_CONDITION, routed ? WORDS.routed : WORDS.notRouted, now);
  const words = drained ? WORDS.empty : draining ? WORDS.draining : WORDS.notDraining;
  const shown = draining || pod.conditions.has(DRAINED_CONDITION); // a pod that was never drained needs no condition about it
  const wanted = shown ? [rotation, condition(pod, DRAINED_CONDITION, words, now)] : [rotation];
  return wanted.every((each) => pod.conditions.get(each.type)?.status === each.status) ? null : wanted;
}

function condition(pod: PodFacts, type: string, words: (typeof WORDS)[keyof typeof WORDS], now: number): PodCondition {
  const status = words === WORDS.routed || words === WORDS.empty ? 'True' : 'False';
  const before = pod.conditions.get(type);
  return { type, status, ...words, lastTransitionTime: before?.status === status ? before.since : rfc3339(now) };
}
