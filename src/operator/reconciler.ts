import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { type Child, childKey } from '../pool/child.ts';
import type { ClusterView, Outcome } from '../pool/cluster-view.ts';
import { reconcile } from '../pool/reconcile.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import { upgradeAgents } from './agent-upgrades.ts';
import { applyOutcome } from './apply.ts';
import { clusterView, recordKey, type ViewSources } from './cluster-view.ts';
import { Attempts, type Pass } from './pass.ts';
import type { PoolRecord } from './pool-record.ts';
import type { ReconcileState, ReconcileStates } from './reconcile-state.ts';
import { type ReportTools, report } from './report.ts';
import { CHILD_TYPES, POD, POOL, REPLICA_SET } from './resources.ts';
import type { Watches } from './watches.ts';

/** Longest wait of a report for what clients feel: a pool that changes all the time is reported on, too. */
const WAIT_MS = 500;

/** How soon a pool is looked at again while not everything in its namespace is known. */
const UNKNOWN_MS = 1_000;
/** A pass is never repeated sooner. */
const SOONEST_MS = 10;

/** Result of one reconcile pass. */
export interface PassResult {
  readonly work: WorkResult;
  /** Whether there is something to report. */
  readonly reportDue: boolean;
}

/** What a reconciler works with. */
export interface ReconcilerOptions {
  readonly tools: ReportTools & { readonly watches: ReconcilerWatches };
  readonly listeners: ViewSources['listeners'];
  readonly settings: ClusterSettings;
  /** Outlive a term: what was verified in one need not be verified in the next. */
  readonly states: ReconcileStates;
}

type ReconcilerWatches = ViewSources['watches'] & Pick<Watches, 'knows' | 'outlinesOf' | 'pools' | 'put' | 'settle'>;

const DONE: PassResult = { work: { kind: 'done' }, reportDue: false };

/** Passes over one pool after another: gathers what is known, decides, and applies the outcome. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** Uids by key, for when the pool is gone. */
  readonly #uids = new Map<string, string>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /**
   * One pass over a pool: makes its objects what they should be.
   *
   * @throws KubeApiError, or an AggregateError of several, for what another try can heal; CccamError CCP_LEASE_LOST when this process may no
   *   longer write
   */
  async pass(key: string, signal: AbortSignal): Promise<PassResult> {
    const { states, tools } = this.#options;
    const pool = this.#find(key);
    if (pool === null) {
      this.#forget(key); // the garbage collector deletes what it owned
      return DONE;
    }
    if (this.#uids.get(key) !== pool.uid) this.#forget(key); // one of the same name was deleted and made again
    this.#uids.set(key, pool.uid);
    if (!tools.watches.knows(pool.namespace)) return { work: { kind: 'requeue', afterMs: UNKNOWN_MS }, reportDue: false };
    await this.#readOutlines(pool, signal);
    const state = states.of(pool.uid);
    let { view, outcome, busyMs } = this.#decide(pool, state);
    if (outcome.changes.disruptive) {
      const live = await this.#readLive(pool, signal);
      if (live === null) return DONE;
      const before = busyMs;
      ({ view, outcome, busyMs } = this.#decide(live, state));
      busyMs += before;
    }
    this.#verify(key, { tools, view, state, signal }, outcome.changes.apply);
    const retryMs = await applyOutcome({ tools, view, state, signal }, outcome);
    const waits = [outcome.requeueAfterMs, retryMs].filter((ms) => ms !== null);
    const { pods, status } = outcome.report;
    const next: WorkResult = waits.length === 0 ? { kind: 'done' } : { kind: 'requeue', afterMs: Math.max(SOONEST_MS, Math.min(...waits)) };
    return {
      work: { ...next, busyMs },
      reportDue: pods.length > 0 || outcome.upgrades.length > 0 || status !== null || state.pendingEvents.length > 0,
    };
  }

  /**
   * Reports on a pool, and then upgrades agents. While its proxies wait for something newer both wait a little: the pass that is due then
   * calls again.
   *
   * @throws as `pass` does
   */
  async report(key: string, signal: AbortSignal): Promise<WorkResult> {
    const { states, tools } = this.#options;
    const pool = this.#find(key);
    if (pool === null) return { kind: 'done' };
    const state = states.of(pool.uid);
    const { view, outcome, busyMs } = this.#decide(pool, state);
    const now = tools.clock.monotonic();
    const waits = outcome.changes.apply.some((child) => child.kind === 'ConfigMap');
    state.waitingSince = waits ? (state.waitingSince ?? now) : null;
    if (state.waitingSince !== null && now - state.waitingSince < WAIT_MS) return { kind: 'requeue', afterMs: WAIT_MS };
    const pass = { tools, view, state, signal };
    const attempts = new Attempts();
    await attempts.try(report(pass, outcome.report));
    await attempts.try(upgradeAgents(pass, outcome.upgrades));
    attempts.finish();
    // A number that moved while the one before was being written is too soon to write, and no pass may be due that would call again.
    const { requeueAfterMs } = outcome;
    const again = outcome.report.status === null && requeueAfterMs !== null;
    return { ...(again ? { kind: 'requeue', afterMs: requeueAfterMs } : { kind: 'done' }), busyMs };
  }

  /** @returns how long it took, too, in milliseconds: nothing else could be done meanwhile */
  #decide(pool: PoolRecord, state: ReconcileState): { view: ClusterView; outcome: Outcome; busyMs: number } {
    const { listeners, settings, tools } = this.#options;
    const begun = tools.clock.monotonic();
    const view = clusterView(pool, { watches: tools.watches, listeners, settings }, state, begun);
    const outcome = reconcile(view, tools.clock.now());
    return { view, outcome, busyMs: tools.clock.monotonic() - begun };
  }

  /** What came before its pool was not kept as a whole. */
  async #readOutlines(pool: PoolRecord, signal: AbortSignal): Promise<void> {
    const { client, watches } = this.#options.tools;
    for (const { kind, name, namespace } of watches.outlinesOf(pool)) {
      const type = CHILD_TYPES[kind];
      const object = await client.get({ type, namespace, name }, signal);
      if (object !== null) watches.put({ ...object, apiVersion: type.apiVersion, kind });
    }
  }

  /** Pods are removed only on live reads, not on watched data: a watch may lag by minutes. */
  async #readLive(pool: PoolRecord, signal: AbortSignal): Promise<PoolRecord | null> {
    const { client, watches } = this.#options.tools;
    const { namespace, name } = pool;
    const object = await client.get({ type: POOL, namespace, name }, signal);
    if (object === null || object.metadata.uid !== pool.uid || object.metadata.deletionTimestamp !== undefined) return null;
    watches.put({ ...object, apiVersion: POOL.apiVersion, kind: POOL.kind });
    const labelSelector = `${POOL_LABEL}=${name}`;
    for (const type of [CHILD_TYPES.Deployment, REPLICA_SET, POD]) {
      await client.list({ type, namespace, selectors: { labelSelector } }, (found) => watches.put(found), signal);
    }
    return watches.pools.get(namespace, name);
  }

  /** What was compared and found right needs not be kept for another comparison. */
  #verify(key: string, { state, view }: Pass, apply: readonly Child[]): void {
    const { watches } = this.#options.tools;
    if (view.paused || view.reading.kind === 'refused') return;
    const applying = new Set(apply.map(childKey));
    for (const record of watches.childrenOf(key)) {
      const name = recordKey(record);
      if (applying.has(name) || record.facts.content === null || record.facts.ownerUid !== view.identity.uid) continue;
      state.verified.set(name, { uid: record.uid, fingerprint: record.facts.fingerprint });
      watches.settle(record);
    }
  }

  #find(key: string): PoolRecord | null {
    const [namespace = '', name = ''] = key.split('/');
    const pool = this.#options.tools.watches.pools.get(namespace, name);
    return pool?.terminating === true ? null : pool;
  }

  #forget(key: string): void {
    const uid = this.#uids.get(key);
    if (uid !== undefined) this.#options.states.forget(uid);
    this.#uids.delete(key);
  }
}
