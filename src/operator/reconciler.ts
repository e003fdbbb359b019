import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { childKey } from '../pool/child.ts';
import { reconcile } from '../pool/reconcile.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import type { Outcome, World } from '../pool/world.ts';
import { type CarryOutTools, carryOut } from './carry-out.ts';
import { gather, recordKey } from './gather.ts';
import type { Memory, PoolMemory } from './memory.ts';
import type { PoolRecord } from './pool-record.ts';
import type { ProxyListeners } from './proxy-listeners.ts';
import { CHILD_TYPES, POD, POOL } from './resources.ts';

/** Passes over one pool after another: gathers what is known, decides, and carries it out. */
export class Reconciler {
  readonly #tools: CarryOutTools;
  readonly #listeners: ProxyListeners;
  readonly #settings: ClusterSettings;
  readonly #memory: Memory;
  /** Uids by key, for the day when the pool is gone. */
  readonly #uids = new Map<string, string>();

  /** @param memory outlives a term: what was verified in one needs no proof in the next */
  constructor(tools: CarryOutTools, listeners: ProxyListeners, settings: ClusterSettings, memory: Memory) {
    this.#memory = memory;
    this.#tools = tools;
    this.#listeners = listeners;
    this.#settings = settings;
  }

  /**
   * One pass over a pool.
   *
   * @param superseded whether the pool has changed once more meanwhile
   * @throws KubeApiError for what another try can heal; CccamError CCP_LEASE_LOST when this process may not write any more
   */
  async pass(key: string, signal: AbortSignal, superseded: () => boolean): Promise<WorkResult> {
    const pool = this.#find(key);
    if (pool === null || pool.ending) {
      this.#forget(key); // what it owned goes with it: the garbage collector sees to that
      return { kind: 'done' };
    }
    this.#uids.set(key, pool.uid);
    const memory = this.#memory.of(pool.uid);
    let { world, outcome } = this.#decide(pool, memory);
    if (outcome.disruptive) {
      const live = await this.#readLive(pool, signal);
      if (live === null) return { kind: 'done' };
      ({ world, outcome } = this.#decide(live, memory));
    }
    this.#verify(world, outcome, key, memory);
    const again = await carryOut(this.#tools, world, outcome, memory, superseded, signal);
    const waits = [outcome.againInMs, again].filter((ms) => ms !== null);
    return waits.length === 0 ? { kind: 'done' } : { kind: 'again', afterMs: Math.max(10, Math.min(...waits)) };
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
      record.facts = { ...record.facts, content: null };
    }
  }

  #find(key: string): PoolRecord | null {
    const [namespace = '', name = ''] = key.split('/');
    return this.#tools.watches.pools.get(namespace, name);
  }

  #forget(key: string): void {
    const uid = this.#uids.get(key);
    if (uid !== undefined) this.#memory.forget(uid);
    this.#uids.delete(key);
  }
}
