import { APPLIED_ANNOTATION } from '../api/v1alpha1/index.ts';
import { isStatus, KubeApiError } from '../kube/api-error.ts';
import type { KubeObject, ObjectRef } from '../kube/resource.ts';
import { type Child, type ChildKind, childKey, countOf, holdsMore } from '../pool/child.ts';
import type { Outcome } from '../pool/cluster-view.ts';
import type { PoolEvent } from '../pool/pool-event.ts';
import { childRecord } from './child-record.ts';
import { afterApply, contestWaitMs } from './contest.ts';
import { Packed } from './packed.ts';
import { Attempts, MANAGER, type Pass } from './pass.ts';
import { CHILD_TYPES } from './resources.ts';

/** Holds the count of a Deployment until an autoscaler takes it. */
const COUNT_MANAGER = `${MANAGER}-count`;
const REFUSED_RETRY_MS = 60_000;
const NOT_OWNED_RETRY_MS = 15_000;
/** Events that wait until the status is written, which an API server may refuse for ever. */
const MOST_EVENTS = 100;

/**
 * Does what was decided about the objects of a pool: what clients feel. An object that the API server refuses does not keep the others
 * from their turn.
 *
 * @returns when to look again because of something that was not done now, in milliseconds, or null
 * @throws KubeApiError, or an AggregateError of several, for what another try can heal
 */
export async function applyOutcome(pass: Pass, { changes, report, roster }: Outcome): Promise<number | null> {
  const { signal, state, tools, view } = pass;
  state.roster = new Packed(roster);
  for (const event of report.events) remember(state.pendingEvents, event);
  const attempts = new Attempts();
  const waits = [await applyChildren(pass, changes.apply, attempts)];
  for (const { kind, name, uid } of changes.remove) {
    await attempts.try(tools.client.delete({ type: CHILD_TYPES[kind], namespace: view.identity.namespace, name }, uid, signal));
  }
  attempts.finish();
  waits.push(await lookAgain(pass));
  return soonest(waits);
}

async function applyChildren(pass: Pass, children: readonly Child[], attempts: Attempts): Promise<number | null> {
  const { refused } = pass.state;
  const applying = new Map(children.map((child) => [childKey(child), contentOf(child)]));
  for (const [key, { applied }] of refused) if (applying.get(key) !== applied) refused.delete(key);
  const waits: (number | null)[] = [];
  const { notOwned } = pass.state;
  const known = notOwned.size;
  for (const child of children) {
    waits.push(await attempts.try(applyChild(pass, child)));
    if (notOwned.size > known) break; // the next pass knows what must not stand on it
  }
  return soonest(waits);
}

/** @returns when to try again, in milliseconds, or null when it was done */
async function applyChild(pass: Pass, child: Child): Promise<number | null> {
  const { state, tools } = pass;
  const [key, applied, now] = [childKey(child), contentOf(child), tools.clock.monotonic()];
  const refused = state.refused.get(key);
  if (refused !== undefined && refused.applied === applied && refused.until > now) return refused.until - now;
  const contestedMs = contestWaitMs(state.applied.get(key), applied, now, tools.random());
  if (contestedMs > 0) return contestedMs;
  try {
    const owner = await ownerOf(pass, child);
    if (owner.kind === 'not-owned') return 0; // and the next pass says so
    await write(pass, child, owner);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof KubeApiError) || thrown.retryable || thrown.status === 404) throw thrown;
    state.refused.set(key, { applied, message: `${key}: ${thrown.message}`, until: now + REFUSED_RETRY_MS });
    return 0;
  }
}

async function write({ signal, state, tools, view }: Pass, child: Child, owner: Ours | Free): Promise<void> {
  const [key, ref] = [childKey(child), refOf(child)];
  // With its uid it can only be this very object; without one, no other manager's fields are taken.
  const ours = owner.kind === 'ours';
  const body = (owner.kind === 'ours' ? { ...child, metadata: { ...child.metadata, uid: owner.uid } } : child) as unknown as KubeObject;
  if (ours) await keepCount({ signal, state, tools, view }, child);
  const { apiVersion, kind } = child;
  let answer: KubeObject = { ...(await tools.client.apply(ref, body, { manager: MANAGER, force: ours }, signal)), apiVersion, kind };
  const clean = withoutForeign(child, answer);
  if (clean !== null) answer = { ...(await tools.client.mergeByName(ref, clean, MANAGER, signal)), apiVersion, kind };
  const record = childRecord(answer);
  state.verified.set(key, { uid: record.uid, fingerprint: record.facts.fingerprint });
  state.refused.delete(key);
  state.applied.set(key, afterApply(state.applied.get(key), contentOf(child), tools.clock.monotonic()));
  tools.watches.put(answer);
  tools.watches.settle(record);
}

function remember(pending: PoolEvent[], event: PoolEvent): void {
  if (pending.length < MOST_EVENTS && !pending.some(({ note }) => note === event.note)) pending.push(event);
}

/**
 * Takes out what others have added to lists that go by names, such as containers: applying leaves that alone.
 *
 * @returns the patch that does it; null where there is nothing of the kind
 */
function withoutForeign(child: Child, answer: KubeObject): object | null {
  const metadata = { uid: answer.metadata.uid };
  if (child.kind === 'ConfigMap') {
    // A text that is compressed now must not be found plain, as another manager has left it.
    const extra = ['data', 'binaryData'].map((field) => [field, extraKeys(answer[field], child[field])] as const);
    return extra.some(([, keys]) => keys !== null) ? { metadata, ...Object.fromEntries(extra.filter(([, keys]) => keys !== null)) } : null;
  }
  // Null stands for more values than are read.
  if (answer['spec'] !== null && !holdsMore(answer['spec'], child['spec'])) return null;
  if (child.kind === 'Service') {
    const { ports } = child['spec'] as { readonly ports: readonly object[] };
    return { metadata, spec: { ports: [{ $patch: 'replace' }, ...ports] } };
  }
  if (child.kind !== 'Deployment') return null;
  const { template } = child['spec'] as { readonly template: { readonly spec: object } };
  return { metadata, spec: { template: { spec: { $patch: 'replace', ...template.spec } } } };
}

/** Nothing for each key that is not ours, which takes it away; null where there is none. */
function extraKeys(actual: unknown, wanted: unknown): object | null {
  if (actual === null) return { $patch: 'replace', ...(wanted ?? {}) }; // more than are read
  const keys = Object.keys(actual ?? {}).filter((key) => !Object.hasOwn(wanted ?? {}, key));
  return keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, null]));
}

/**
 * Holds the count of a Deployment that no longer has one of its own, under another manager: a field that no manager sets falls back to its
 * default, which is one pod. Where an autoscaler has set it already, it is the autoscaler's.
 *
 * @throws KubeApiError
 */
async function keepCount({ signal, tools, view }: Pass, child: Child): Promise<void> {
  const facts = view.children.get(childKey(child));
  if (facts === undefined || facts.deployment === null || countOf(child) !== undefined) return;
  const { name, namespace } = child.metadata;
  const count = {
    apiVersion: child.apiVersion,
    kind: child.kind,
    metadata: { name, namespace, uid: facts.uid },
    spec: { replicas: facts.deployment.wanted },
  };
  await tools.client.apply(refOf(child), count, { manager: COUNT_MANAGER, force: false }, signal).catch((thrown: unknown) => {
    if (!isStatus(thrown, 409)) throw thrown;
  });
}

type Ours = { readonly kind: 'ours'; readonly uid: string };
/** There is no object of that name. */
type Free = { readonly kind: 'free' };
type Owner = Ours | Free | { readonly kind: 'not-owned' };

/** Whose the object of that name is. Where the watches know none the API server is asked: they only see what carries our labels. */
async function ownerOf({ signal, state, tools, view }: Pass, child: Child): Promise<Owner> {
  const facts = view.children.get(childKey(child));
  if (facts !== undefined) return { kind: 'ours', uid: facts.uid };
  const found = await tools.client.get(refOf(child), signal);
  if (found === null) return { kind: 'free' };
  const uid = found.metadata.uid ?? '';
  const ownerUid = found.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid ?? null;
  if (ownerUid === view.identity.uid) return { kind: 'ours', uid };
  state.notOwned.set(childKey(child), { uid, ownerUid, retryAt: tools.clock.monotonic() + NOT_OWNED_RETRY_MS });
  return { kind: 'not-owned' };
}

/** Looks again at what was not ours a while ago. @returns when to look next, in milliseconds, or null when nothing is */
async function lookAgain({ signal, state: { notOwned }, tools, view }: Pass): Promise<number | null> {
  const now = tools.clock.monotonic();
  for (const [key, other] of notOwned) {
    if (other.retryAt > now) continue;
    const [kind = '', name = ''] = key.split('/');
    const found = await tools.client.get({ type: CHILD_TYPES[kind as ChildKind], namespace: view.identity.namespace, name }, signal);
    if (found?.metadata.uid !== other.uid) {
      notOwned.delete(key);
      return 0;
    }
    notOwned.set(key, { ...other, retryAt: now + NOT_OWNED_RETRY_MS });
  }
  return notOwned.size === 0 ? null : NOT_OWNED_RETRY_MS;
}

function refOf(child: Child): ObjectRef {
  return { type: CHILD_TYPES[child.kind], namespace: child.metadata.namespace, name: child.metadata.name };
}

/** Name of a child's content. */
function contentOf(child: Child): string {
  return child.metadata.annotations[APPLIED_ANNOTATION] ?? '';
}

function soonest(waits: readonly (number | null)[]): number | null {
  const known = waits.filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
}
