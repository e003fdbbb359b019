import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { childKey } from '../pool/child.ts';
import type { ClusterView, Outcome } from '../pool/cluster-view.ts';
import { reconcile } from '../pool/reconcile.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import { applyOutcome } from './apply.ts';
import { clusterView, recordKey } from './cluster-view.ts';
import type { PoolRecord } from './pool-record.ts';
import type { ProxyListeners } from './proxy-listeners.ts';
import type { ReconcileState, ReconcileStates } from './reconcile-state.ts';
import { type ReportTools, tell } from './report.ts';
import { CHILD_TYPES, POD, POOL } from './resources.ts';

/** Longest wait of a report for what clients feel: a pool that changes all the time is reported on, too. */
const WAIT_MS = 500;

/** How soon a pool is looked at again of whose namespace not everything is known yet. */
const UNKNOWN_MS = 1_000;

/** What a pass has come to. */
export interface PassResult {
  readonly work: WorkResult;
  /** Whether there is something to report. */
  readonly reportDue: boolean;
}

/** Passes over one pool after another: gathers what is known, decides, and carries it out. */
export class Reconciler {
  readonly #tools: ReportTools;
  readonly #listeners: ProxyListeners;
  readonly #settings: ClusterSettings;
  readonly #state: ReconcileStates;
  /** Uids by key, for the day when the pool is gone. */
  readonly #uids = new Map<string, string>();

  /** @param states outlive a term: what was verified in one need not be verified in the next */
  constructor(tools: ReportTools, listeners: ProxyListeners, settings: ClusterSettings, state: ReconcileStates) {
    this.#state = state;
    this.#tools = tools;
    this.#listeners = listeners;
    this.#settings = settings;
  }

  /**
   * One pass over a pool: makes its objects what they should be.
   *
   * @throws KubeApiError for what another try can heal; CccamError CCP_LEASE_LOST when this process may not write any more
   */
  async pass(key: string, signal: AbortSignal): Promise<PassResult> {
    const pool = this.#find(key);
    if (pool === null) {
      this.#forget(key); // what it owned goes with it: the garbage collector sees to that
      return { work: { kind: 'done' }, reportDue: false };
    }
    this.#uids.set(key, pool.uid);
    if (!this.#tools.watches.knows(pool.namespace)) return { work: { kind: 'requeue', afterMs: UNKNOWN_MS }, reportDue: false };
    const state = this.#state.of(pool.uid);
    let { view, outcome } = this.#decide(pool, state);
    if (outcome.disruptive) {
      const live = await this.#readLive(pool, signal);
      if (live === null) return { work: { kind: 'done' }, reportDue: false };
      ({ view, outcome } = this.#decide(live, state));
    }
    this.#verify(view, outcome, key, state);
    const again = await applyOutcome(this.#tools, view, outcome, state, signal);
    const waits = [outcome.requeueAfterMs, again].filter((ms) => ms !== null);
    return {
      work: waits.length === 0 ? { kind: 'done' } : { kind: 'requeue', afterMs: Math.max(10, Math.min(...waits)) },
      reportDue: outcome.pods.length > 0 || outcome.agents.length > 0 || outcome.status !== null || state.pendingEvents.length > 0,
    };
  }

  /**
   * Tells what has become of a pool. While its proxies wait for something newer that waits a little: the pass that is due then calls again.
   *
   * @throws as `pass` does
   */
  async tell(key: string, signal: AbortSignal): Promise<WorkResult> {
    const pool = this.#find(key);
    if (pool === null) return { kind: 'done' };
    const state = this.#state.of(pool.uid);
    const { view, outcome } = this.#decide(pool, state);
    const now = this.#tools.clock.monotonic();
    const waits = outcome.apply.some((child) => child.kind === 'ConfigMap');
    state.waitingSince = waits ? (state.waitingSince ?? now) : null;
    if (state.waitingSince !== null && now - state.waitingSince < WAIT_MS) return { kind: 'requeue', afterMs: WAIT_MS };
    await tell(this.#tools, view, outcome, state, signal);
    // A number that moved while the one before was being written is too soon to write, and no pass may be due that would call again.
    return outcome.status === null && outcome.requeueAfterMs !== null
      ? { kind: 'requeue', afterMs: outcome.requeueAfterMs }
      : { kind: 'done' };
  }

  #decide(pool: PoolRecord, state: ReconcileState): { view: ClusterView; outcome: Outcome } {
    const { clock, watches } = this.#tools;
    const view = clusterView(pool, watches, this.#listeners, state, this.#settings, clock.monotonic());
    return { view, outcome: reconcile(view, clock.now()) };
  }

  /** What takes pods away is decided on what is, not on what was heard: a watch may lag by minutes. */
  async #readLive(pool: PoolRecord, signal: AbortSignal): Promise<PoolRecord | null> {
    const { client, watches } = this.#tools;
    const { namespace, name } = pool;
    const object = await client.get({ type: POOL, namespace, name }, signal);
    if (object === null || object.metadata.uid !== pool.uid || object.metadata.deletionTimestamp !== undefined) return null;
    watches.put({ ...object, apiVersion: POOL.apiVersion, kind: POOL.kind });
    const labelSelector = `${POOL_LABEL}=${name}`;
    for (const type of [CHILD_TYPES.Deployment, POD]) {
      await client.list(type, namespace, { labelSelector }, (found) => watches.put(found), signal);
    }
    return watches.pools.get(namespace, name);
  }

  /** What was compared and found right needs not be kept for another comparison. */
  #verify(view: ClusterView, outcome: Outcome, key: string, state: ReconcileState): void {
    if (view.paused || view.reading.kind === 'refused') return;
    const applying = new Set(outcome.apply.map(childKey));
    for (const record of this.#tools.watches.childrenOf(key)) {
      const name = recordKey(record);
      if (applying.has(name) || record.facts.content === null || record.facts.ownerUid !== view.identity.uid) continue;
      state.verified.set(name, { uid: record.uid, fingerprint: record.facts.fingerprint });
      this.#tools.watches.settle(record);
    }
  }

  #find(key: string): PoolRecord | null {
    const [namespace = '', name = ''] = key.split('/');
    const pool = this.#tools.watches.pools.get(namespace, name);
    return pool?.terminating === true ? null : pool;
  }

  #forget(key: string): void {
    const uid = this.#uids.get(key);
    if (uid !== undefined) this.#state.forget(uid);
    this.#uids.delete(key);
  }
}
