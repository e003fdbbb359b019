import { APPLIED_ANNOTATION } from '../api/v1alpha1/index.ts';
import { isStatus, KubeApiError } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/resource.ts';
import { type Child, type ChildFacts, type ChildKind, childKey, countOf } from '../pool/child.ts';
import type { ClusterView, Outcome } from '../pool/cluster-view.ts';
import { backoffMs } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { childRecord } from './child-record.ts';
import { Packed } from './packed.ts';
import type { ReconcileState } from './reconcile-state.ts';
import { CHILD_TYPES } from './resources.ts';
import type { Watches } from './watches.ts';

/** Names under which our fields stand in an object. */
export const MANAGER = 'cccam-operator';
/** Holds the count of a Deployment until an autoscaler takes it. */
const COUNT_MANAGER = `${MANAGER}-count`;
const REFUSED_RETRY_MS = 60_000;
const NOT_OWNED_RETRY_MS = 15_000;
/** How fast an object is put back that somebody else keeps changing. */
const CONTEST = { firstMs: 500, capMs: 60_000, jitter: 0.2 } as const;
const CONTEST_OVER_MS = 120_000;

/** What it takes to read and write objects. */
export interface ApiTools {
  readonly client: KubeClient;
  readonly watches: Watches;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * Does what was decided about the objects of a pool: what clients feel. An object that the API server refuses does not keep the others
 * from their turn.
 *
 * @returns when to look again because of something that was not done now, in milliseconds, or null
 * @throws KubeApiError for what another try can heal
 */
export async function applyOutcome(
  tools: ApiTools,
  view: ClusterView,
  outcome: Outcome,
  state: ReconcileState,
  signal: AbortSignal,
): Promise<number | null> {
  state.roster = new Packed(outcome.roster);
  for (const event of outcome.events) if (!state.pendingEvents.some((each) => each.note === event.note)) state.pendingEvents.push(event);
  const failures: unknown[] = [];
  const trying = async <T>(work: Promise<T>): Promise<T | null> =>
    await work.catch((thrown: unknown) => {
      failures.push(thrown); // what fails for one object must not keep the others from their turn
      return null;
    });
  const again = [await applyChildren(tools, view, outcome, state, trying, signal)];
  for (const { kind, name, uid } of outcome.remove) {
    await trying(tools.client.delete({ type: CHILD_TYPES[kind], namespace: view.identity.namespace, name }, uid, signal));
  }
  if (failures.length > 0) throw failures[0];
  again.push(await askAgain(tools, view, state, signal));
  const waits = again.filter((ms) => ms !== null);
  return waits.length === 0 ? null : Math.min(...waits);
}

type Trying = <T>(work: Promise<T>) => Promise<T | null>;

async function applyChildren(
  tools: ApiTools,
  view: ClusterView,
  outcome: Outcome,
  state: ReconcileState,
  trying: Trying,
  signal: AbortSignal,
): Promise<number | null> {
  const again: number[] = [];
  const applying = new Map(outcome.apply.map((child) => [childKey(child), nameOf(child)]));
  for (const [key, { applied }] of state.refused) if (applying.get(key) !== applied) state.refused.delete(key);
  for (const child of outcome.apply) {
    const wait = await trying(applyChild(tools, view, child, state, signal));
    if (wait !== null) again.push(wait);
  }
  return again.length === 0 ? null : Math.min(...again);
}

/** @returns when to try again, in milliseconds, or null when it was done */
async function applyChild(
  tools: ApiTools,
  view: ClusterView,
  child: Child,
  state: ReconcileState,
  signal: AbortSignal,
): Promise<number | null> {
  const key = childKey(child);
  const applied = nameOf(child);
  const now = tools.clock.monotonic();
  const refused = state.refused.get(key);
  if (refused !== undefined && refused.applied === applied && refused.until > now) return refused.until - now;
  const contested = contest(tools, child, state);
  if (contested > 0) return contested;
  const ref = { type: CHILD_TYPES[child.kind], namespace: child.metadata.namespace, name: child.metadata.name };
  const facts = view.children.get(key);
  try {
    const holder: Holder = facts === undefined ? await lookUp(tools, view, child, state, signal) : { kind: 'ours', uid: facts.uid };
    if (holder.kind === 'not-owned') return 0; // and the next pass says so
    const ours = holder.kind === 'ours';
    // With its uid it can only be this very object; without one, nobody else’s fields are taken.
    const body = (ours ? { ...child, metadata: { ...child.metadata, uid: holder.uid } } : child) as unknown as KubeObject;
    if (ours) await keepCount(tools, child, facts, signal);
    const answer = { ...(await tools.client.apply(ref, body, MANAGER, ours, signal)), apiVersion: child.apiVersion, kind: child.kind };
    const record = childRecord(answer);
    state.verified.set(key, { uid: record.uid, fingerprint: record.facts.fingerprint });
    state.refused.delete(key);
    hasArrived(tools, child, state);
    tools.watches.put(answer);
    tools.watches.settle(record);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof KubeApiError) || thrown.retryable || thrown.status === 404) throw thrown;
    state.refused.set(key, { applied, message: `${key}: ${thrown.message}`, until: now + REFUSED_RETRY_MS });
    return 0;
  }
}

/**
 * Holds the count of a Deployment that is not to have one any more, under another name: a field that nobody asks for goes back to what it
 * is by itself, which is one pod. Where an autoscaler has set it already, it is theirs.
 *
 * @throws KubeApiError
 */
async function keepCount(tools: ApiTools, child: Child, facts: ChildFacts | undefined, signal: AbortSignal): Promise<void> {
  if (facts === undefined || facts.deployment === null || countOf(child) !== undefined) return;
  const { name, namespace } = child.metadata;
  const ref = { type: CHILD_TYPES[child.kind], namespace, name };
  const count = {
    apiVersion: child.apiVersion,
    kind: child.kind,
    metadata: { name, namespace, uid: facts.uid },
    spec: { replicas: facts.deployment.wanted },
  };
  await tools.client.apply(ref, count, COUNT_MANAGER, false, signal).catch((thrown: unknown) => {
    if (!isStatus(thrown, 409)) throw thrown;
  });
}

/**
 * Asks the API server itself what has the name of a child: the watches only see what carries our labels.
 *
 * @returns its uid where it is ours, `free` where there is nothing, `not-owned` where it is somebody else's
 */
async function lookUp(tools: ApiTools, view: ClusterView, child: Child, state: ReconcileState, signal: AbortSignal): Promise<Holder> {
  const found = await tools.client.get(
    { type: CHILD_TYPES[child.kind], namespace: child.metadata.namespace, name: child.metadata.name },
    signal,
  );
  if (found === null) return { kind: 'free' };
  const owner = found.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid ?? null;
  if (owner === view.identity.uid) return { kind: 'ours', uid: found.metadata.uid ?? '' };
  state.notOwned.set(childKey(child), {
    uid: found.metadata.uid ?? '',
    ownerUid: owner,
    retryAt: tools.clock.monotonic() + NOT_OWNED_RETRY_MS,
  });
  return { kind: 'not-owned' };
}

type Holder = { readonly kind: 'free' | 'not-owned' } | { readonly kind: 'ours'; readonly uid: string };

/** Looks again at what was somebody else’s a while ago. @returns when to look next, in milliseconds, or null when nothing is */
async function askAgain(tools: ApiTools, view: ClusterView, state: ReconcileState, signal: AbortSignal): Promise<number | null> {
  const now = tools.clock.monotonic();
  for (const [key, other] of state.notOwned) {
    if (other.retryAt > now) continue;
    const [kind = '', name = ''] = key.split('/');
    const found = await tools.client.get({ type: CHILD_TYPES[kind as ChildKind], namespace: view.identity.namespace, name }, signal);
    if (found?.metadata.uid === other.uid) state.notOwned.set(key, { ...other, retryAt: now + NOT_OWNED_RETRY_MS });
    else state.notOwned.delete(key);
    if (found?.metadata.uid !== other.uid) return 0;
  }
  return state.notOwned.size === 0 ? null : NOT_OWNED_RETRY_MS;
}

/**
 * How long to wait before the very same content is applied once more, in milliseconds; 0 for not at all. Whoever else keeps changing the
 * object, another operator perhaps, is answered more and more slowly. Only what has arrived counts: an outage is nobody's contest.
 */
function contest(tools: ApiTools, child: Child, state: ReconcileState): number {
  const before = state.contested.get(childKey(child));
  const now = tools.clock.monotonic();
  if (before === undefined || !isSameContest(before, child, now)) return 0;
  return Math.max(0, before.at + backoffMs(CONTEST, before.times, tools.random()) - now);
}

function hasArrived(tools: ApiTools, child: Child, state: ReconcileState): void {
  const before = state.contested.get(childKey(child));
  const now = tools.clock.monotonic();
  const times = before !== undefined && isSameContest(before, child, now) ? before.times + 1 : 1;
  state.contested.set(childKey(child), { applied: nameOf(child), times, at: now });
}

function isSameContest(before: { readonly applied: string; readonly at: number }, child: Child, now: number): boolean {
  return before.applied === nameOf(child) && now - before.at <= CONTEST_OVER_MS;
}

/** Name of a child's content. */
function nameOf(child: Child): string {
  return child.metadata.annotations[APPLIED_ANNOTATION] ?? '';
}
