import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { childKey } from '../pool/child.ts';
import { reconcile } from '../pool/reconcile.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import type { Outcome, World } from '../pool/world.ts';
import { carryOut } from './carry-out.ts';
import { gather, recordKey } from './gather.ts';
import type { Memory, PoolMemory } from './memory.ts';
import type { PoolRecord } from './pool-record.ts';
import type { ProxyListeners } from './proxy-listeners.ts';
import { CHILD_TYPES, POD, POOL } from './resources.ts';
import { type TellTools, tell } from './tell.ts';

/** How long telling waits for what clients feel. A pool that changes all the time is told of, too. */
const WAIT_MS = 500;

/** How soon a pool is looked at again of whose namespace not everything is known yet. */
const UNKNOWN_MS = 1_000;

/** What a pass has come to. */
export interface PassResult {
  readonly work: WorkResult;
  /** Whether something is to be told of it. */
  readonly news: boolean;
}

/** Passes over one pool after another: gathers what is known, decides, and carries it out. */
export class Reconciler {
  readonly #tools: TellTools;
  readonly #listeners: ProxyListeners;
  readonly #settings: ClusterSettings;
  readonly #memory: Memory;
  /** Uids by key, for the day when the pool is gone. */
  readonly #uids = new Map<string, string>();

  /** @param memory outlives a term: what was verified in one needs no proof in the next */
  constructor(tools: TellTools, listeners: ProxyListeners, settings: ClusterSettings, memory: Memory) {
    this.#memory = memory;
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
      return { work: { kind: 'done' }, news: false };
    }
    this.#uids.set(key, pool.uid);
    if (!this.#tools.watches.knows(pool.namespace)) return { work: { kind: 'requeue', afterMs: UNKNOWN_MS }, news: false };
    const memory = this.#memory.of(pool.uid);
    let { world, outcome } = this.#decide(pool, memory);
    if (outcome.disruptive) {
      const live = await this.#readLive(pool, signal);
      if (live === null) return { work: { kind: 'done' }, news: false };
      ({ world, outcome } = this.#decide(live, memory));
    }
    this.#verify(world, outcome, key, memory);
    const again = await carryOut(this.#tools, world, outcome, memory, signal);
    const waits = [outcome.requeueAfterMs, again].filter((ms) => ms !== null);
    return {
      work: waits.length === 0 ? { kind: 'done' } : { kind: 'requeue', afterMs: Math.max(10, Math.min(...waits)) },
      news: outcome.pods.length > 0 || outcome.agents.length > 0 || outcome.status !== null || memory.untold.length > 0,
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
    const memory = this.#memory.of(pool.uid);
    const { world, outcome } = this.#decide(pool, memory);
    const now = this.#tools.clock.monotonic();
    const waits = outcome.apply.some((child) => child.kind === 'ConfigMap');
    memory.waitingSince = waits ? (memory.waitingSince ?? now) : null;
    if (memory.waitingSince !== null && now - memory.waitingSince < WAIT_MS) return { kind: 'requeue', afterMs: WAIT_MS };
    await tell(this.#tools, world, outcome, memory, signal);
    // A number that moved while the one before was being written is too soon to write, and no pass may be due that would call again.
    return outcome.status === null && outcome.requeueAfterMs !== null
      ? { kind: 'requeue', afterMs: outcome.requeueAfterMs }
      : { kind: 'done' };
  }

  #decide(pool: PoolRecord, memory: PoolMemory): { world: World; outcome: Outcome } {
    const { clock, watches } = this.#tools;
    const world = gather(pool, watches, this.#listeners, memory, this.#settings, clock.monotonic());
    return { world, outcome: reconcile(world, clock.now()) };
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
  #verify(world: World, outcome: Outcome, key: string, memory: PoolMemory): void {
    if (world.paused || world.reading.kind === 'refused') return;
    const applying = new Set(outcome.apply.map(childKey));
    for (const record of this.#tools.watches.childrenOf(key)) {
      const name = recordKey(record);
      if (applying.has(name) || record.facts.content === null || record.facts.ownerUid !== world.identity.uid) continue;
      memory.verified.set(name, { uid: record.uid, fingerprint: record.facts.fingerprint });
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
    if (uid !== undefined) this.#memory.forget(uid);
    this.#uids.delete(key);
  }
}
