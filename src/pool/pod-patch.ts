import { DRAIN_SINCE_ANNOTATION, DRAINED_CONDITION, IN_ROTATION_CONDITION } from '../api/v1alpha1/index.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import { drainProgress } from './drain.ts';
import type { RosterEntry } from './roster.ts';
import type { PodFacts } from './server-state.ts';
import type { ServerFacts } from './status.ts';

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
 * What should be written on a pod: when its drain began, so that a new leader goes on with the same clock; whether somebody is left;
 * whether every proxy routes to it; and what it would cost to end it.
 *
 * @param entry its server, or null while it is none
 * @param facts what the proxies say; null while nobody can say anything, and what was written stands
 * @returns null when nothing is to be written
 */
export function podPatch(pod: PodFacts, entry: RosterEntry | null, facts: ServerFacts | null, now: number): PodPatch | null {
  if (pod.finished) return null;
  const draining = entry !== null && entry.drain.kind === 'draining';
  const drained = draining && facts !== null && isDrained(entry, facts, now);
  const annotations = annotationChanges(pod, entry, drained);
  const routed = entry !== null && facts !== null && isRouted(pod, facts);
  const conditions = facts === null && entry !== null ? null : conditionChanges(pod, draining, drained, routed, now);
  return annotations === null && conditions === null ? null : { name: pod.name, uid: pod.uid, annotations, conditions };
}

/** It comes into rotation when a proxy that takes clients routes to it, and leaves it when their HAProxies do not any more. */
function isRouted(pod: PodFacts, { inRotation, staysInRotation }: ServerFacts): boolean {
  return inRotation || (staysInRotation && pod.conditions.get(IN_ROTATION_CONDITION)?.status === 'True');
}

function isDrained(entry: RosterEntry, facts: ServerFacts, now: number): boolean {
  const sessions = facts.counted ? facts.sessions : null;
  return drainProgress(entry.drain, entry.deadlineMs, sessions, facts.outOfRotation, now).kind === 'drained';
}

function annotationChanges(pod: PodFacts, entry: RosterEntry | null, drained: boolean): Record<string, string | null> | null {
  if (pod.terminatingSince !== null) return null; // when it was deleted says the API server itself
  const drain = entry?.drain;
  const requested = drain?.kind === 'draining';
  const since = requested ? new Date(drain.since).toISOString() : null;
  const cost = drained ? COSTS.drained : requested ? COSTS.draining : null;
  const changes: Record<string, string | null> = {};
  if (since !== pod.drainSince) changes[DRAIN_SINCE_ANNOTATION] = since;
  // A cost that somebody else has set is theirs.
  const ours = pod.deletionCost === null || Object.values<string>(COSTS).includes(pod.deletionCost);
  if (ours && cost !== pod.deletionCost) changes[DELETION_COST_ANNOTATION] = cost;
  return Object.keys(changes).length === 0 ? null : changes;
}

/** What each state of our conditions says. */
const WORDS = {
  routed: { reason: 'Routed', message: 'Every proxy routes to it.' },
  notRouted: { reason: 'NotRouted', message: 'Not every proxy routes to it.' },
  empty: { reason: 'Empty', message: 'Nobody is left.' },
  draining: { reason: 'Draining', message: 'Sessions are left.' },
  notDraining: { reason: 'NotDraining', message: 'It is not drained.' },
} as const;

function conditionChanges(pod: PodFacts, draining: boolean, drained: boolean, inRotation: boolean, now: number): PodCondition[] | null {
  const rotation = condition(pod, IN_ROTATION_CONDITION, inRotation, inRotation ? WORDS.routed : WORDS.notRouted, now);
  const words = drained ? WORDS.empty : draining ? WORDS.draining : WORDS.notDraining;
  const shown = draining || pod.conditions.has(DRAINED_CONDITION); // a pod that was never drained needs no condition about it
  const wanted = shown ? [rotation, condition(pod, DRAINED_CONDITION, drained, words, now)] : [rotation];
  return wanted.every((each) => pod.conditions.get(each.type)?.status === each.status) ? null : wanted;
}

function condition(pod: PodFacts, type: string, is: boolean, words: (typeof WORDS)[keyof typeof WORDS], now: number): PodCondition {
  const status = is ? 'True' : 'False';
  const before = pod.conditions.get(type);
  const time = rfc3339(now);
  return { type, status, ...words, lastTransitionTime: before?.status === status ? before.since : time };
}
