import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector, type ReflectorReport } from '../kube/reflector.ts';
import { type KubeObject, objectKey, type ResourceType } from '../kube/resource.ts';
import { type Change, Store, type Stored } from '../kube/store.ts';
import type { Urgency } from '../kube/work-queue.ts';
import { CHILD_KINDS, type ChildKind } from '../pool/child.ts';
import { childNames, MANAGED_SELECTOR } from '../pool/resources/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import { type ChildRecord, childOutline, childRecord } from './child-record.ts';
import { type PodRecord, podRecord, unreadablePod } from './pod-record.ts';
import { type PoolReader, type PoolRecord, unreadablePool } from './pool-record.ts';
import { CHILD_TYPES, POD, POOL } from './resources.ts';

/** What the watches work with, and what they notify. */
export interface WatchesOptions {
  readonly client: KubeClient;
  /** Namespaces to watch; an empty list means all of them. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly pools: PoolReader;
  /** A pool, or something of it, is not as before. */
  readonly onPool: (key: string, urgency: Urgency) => void;
  readonly onPod: (before: PodRecord | null, after: PodRecord | null) => void;
  readonly report: (kind: string, report: WatchReport) => void;
}

/** What a watch tells about itself; `unreadable`: an object could not be read, and is kept by its name alone. */
export type WatchReport = ReflectorReport | { readonly kind: 'unreadable'; readonly key: string; readonly error: unknown };

/** Every namespace, as the API server's paths say it. */
const ALL = '';

/** One collection that is watched, and what is kept of it. */
interface Watched<T extends Stored> {
  readonly type: ResourceType;
  readonly selectors?: { readonly labelSelector?: string };
  /** Reduces an object to what is needed of it. */
  readonly project: (object: KubeObject) => T;
  /** What is kept of an object that cannot be read. One object must not keep the others from being followed. */
  readonly unreadable: (object: KubeObject) => T;
  readonly indexOf: (object: T) => string;
  readonly onChange: (change: Change<T>) => void;
}

/** A reflector of any kind. */
type Following = Pick<Reflector<Stored>, 'synced' | 'refused' | 'silentMs' | 'stalledMs' | 'stuckMs' | 'run'>;

interface Followed {
  readonly kind: string;
  readonly namespace: string;
  readonly reflector: Following;
}

/** How often it is looked whether every cache is warm, at the start. */
const SYNC_LOOK_MS = 10;

/** Content that is kept of the objects of one kind of one pool until it was compared. What has no room is applied again instead. */
const CONTENT_BYTES = 131_072;

/** Every watch of the operator, and what it has seen. Warm in every replica, whether it leads or not. */
export class Watches {
  readonly pools: Store<PoolRecord>;
  readonly pods: Store<PodRecord>;
  readonly #children = new Map<ChildKind, Store<ChildRecord>>();
  readonly #reflectors: Followed[] = [];
  readonly #options: WatchesOptions;

  constructor(options: WatchesOptions) {
    this.#options = options;
    const { pools, onPool, onPod } = options;
    // Something whose label was changed leaves one pool and comes to another: both must hear of it.
    const wake = <T extends Stored & { readonly pool: string }>(change: Change<T>): void => {
      if (isSame(change)) return;
      for (const pool of new Set([change.before?.pool, change.after?.pool])) if (pool !== undefined) onPool(pool, urgency(change));
    };
    this.pools = this.#watch({
      type: POOL,
      project: (object) => pools.read(object),
      unreadable: unreadablePool,
      indexOf: keyOf,
      onChange: (change) => {
        if (change.after === null && change.before !== null) pools.forget(change.before.namespace, change.before.name);
        if (!isStatusOnly(change)) onPool(keyOf(either(change)), urgency(change));
      },
    });
    this.pods = this.#watch({
      type: POD,
      selectors: { labelSelector: POOL_LABEL },
      project: podRecord,
      unreadable: unreadablePod,
      indexOf: (pod) => pod.pool,
      onChange: (change) => {
        onPod(change.before, change.after);
        wake(change);
      },
    });
    for (const kind of CHILD_KINDS) {
      const store = this.#watch({
        type: CHILD_TYPES[kind],
        selectors: { labelSelector: MANAGED_SELECTOR },
        project: (object) => this.#child(object),
        unreadable: childOutline,
        indexOf: (child) => child.pool,
        onChange: wake,
      });
      this.#children.set(kind, store);
    }
  }

  /**
   * Whether everything is known of every namespace that may be looked at. One that is refused, because it or its role was deleted, does
   * not keep the operator from the others; but of all it must not be refused.
   */
  get synced(): boolean {
    return this.#scopes.some((each) => this.#isWhole(each)) && this.#scopes.every((each) => this.#isWhole(each) || this.#isRefused(each));
  }

  /** Whether everything is known of this namespace: about its pools nothing may be concluded before. */
  knows(namespace: string): boolean {
    return this.#isWhole(this.#options.namespaces.length === 0 ? ALL : namespace);
  }

  /** Namespaces that are watched one by one, or all at once. */
  get #scopes(): readonly string[] {
    const { namespaces } = this.#options;
    return namespaces.length === 0 ? [ALL] : namespaces;
  }

  #isWhole(namespace: string): boolean {
    return this.#of(namespace).every((reflector) => reflector.synced);
  }

  #isRefused(namespace: string): boolean {
    return this.#of(namespace).some((reflector) => reflector.refused);
  }

  #of(namespace: string): Following[] {
    return this.#reflectors.filter((each) => each.namespace === namespace).map(({ reflector }) => reflector);
  }

  /** Milliseconds since each watch was last heard, by kind. */
  get ages(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { kind, reflector } of this.#reflectors) ages.set(kind, Math.max(reflector.silentMs, ages.get(kind) ?? 0));
    return ages;
  }

  /** Kinds whose watch has done nothing at all for so long. */
  stalled(ms: number): readonly string[] {
    return this.#reflectors.filter(({ reflector }) => reflector.stalledMs > ms).map(({ kind }) => kind);
  }

  /** Kinds whose watch has been answered for so long with what it cannot take in. */
  stuck(ms: number): readonly string[] {
    return this.#reflectors.filter(({ reflector }) => reflector.stuckMs > ms).map(({ kind }) => kind);
  }

  /** Every object that was made for a pool. */
  childrenOf(pool: string): ChildRecord[] {
    return [...this.#children.values()].flatMap((store) => store.by(pool));
  }

  /** Objects of a pool of which only the outline is known, because they came before the pool did. */
  outlinesOf(pool: PoolRecord): ChildRecord[] {
    return this.childrenOf(keyOf(pool)).filter((child) => child.partial === true && isChildOf(child.facts.ownerUid, child, pool));
  }

  /** Takes over an answer to a write of ours, or something that was read live. */
  put(object: KubeObject): void {
    if (object.kind === POOL.kind) this.pools.put(object);
    else if (object.kind === POD.kind) this.pods.put(object);
    else this.#children.get(object.kind as ChildKind)?.put(object);
  }

  /** Lets go of the content of an object that is as it was applied: its fingerprint tells when it changes. */
  settle({ facts, kind, name, namespace }: ChildRecord): void {
    const known = this.#children.get(kind)?.get(namespace, name);
    if (known?.facts.fingerprint === facts.fingerprint) known.facts = { ...known.facts, content: null };
  }

  /** Resolves when it is `synced`, or the signal is aborted. */
  async waitForSync(signal: AbortSignal): Promise<void> {
    while (!this.synced && !signal.aborted) await this.#options.clock.sleep(SYNC_LOOK_MS, signal);
  }

  /** Follows the API server until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((each) => this.#follow(each, signal)));
  }

  /** Pools come first: whose the other objects are goes by them. */
  async #follow({ kind, namespace, reflector }: Followed, signal: AbortSignal): Promise<void> {
    const pools = this.#reflectors.find((each) => each.kind === POOL.kind && each.namespace === namespace)?.reflector ?? reflector;
    while (kind !== POOL.kind && !pools.synced && !pools.refused && !signal.aborted) await this.#options.clock.sleep(SYNC_LOOK_MS, signal);
    await reflector.run(signal);
  }

  /** Whoever may make objects can label them as ours: only of those that a pool owns more than the outline is kept, and of no pool much. */
  #child(object: KubeObject): ChildRecord {
    const outline = childOutline(object);
    const pool = this.pools.get(outline.namespace, outline.pool.slice(outline.namespace.length + 1));
    if (pool === null || !isChildOf(outline.facts.ownerUid, outline, pool)) return outline;
    let left = CONTENT_BYTES;
    for (const other of this.#children.get(outline.kind)?.by(outline.pool) ?? [])
      if (other.name !== outline.name) left -= other.facts.content?.size ?? 0;
    return childRecord(object, left);
  }

  #watch<T extends Stored>({ indexOf, onChange, project: read, selectors = {}, type, unreadable }: Watched<T>): Store<T> {
    const { client, clock, random, report } = this.#options;
    const project = (object: KubeObject): T => {
      try {
        return read(object);
      } catch (thrown) {
        report(type.kind, { kind: 'unreadable', key: objectKey(object.metadata.namespace ?? '', object.metadata.name), error: thrown });
        return unreadable(object);
      }
    };
    const store = new Store<T>(project, indexOf, onChange);
    for (const namespace of this.#scopes) {
      const reflector = new Reflector<T>({
        client,
        type,
        namespace,
        selectors,
        store,
        project,
        clock,
        random,
        report: (said) => report(type.kind, said),
      });
      this.#reflectors.push({ kind: type.kind, namespace, reflector });
    }
    return store;
  }
}

/** Whether an object belongs to a pool and has a name that objects of the pool have. */
function isChildOf(ownerUid: string | null, { kind, name }: ChildRecord, pool: PoolRecord): boolean {
  if (ownerUid !== pool.uid) return false;
  return kind === 'Deployment' ? name.startsWith(`${pool.name}-`) : childNames(pool).includes(name);
}

function keyOf(object: Stored): string {
  return objectKey(object.namespace, object.name);
}

function either<T>(change: Change<T>): T {
  return (change.after ?? change.before) as T;
}

function urgency<T>(change: Change<T>): Urgency {
  return change.listed ? 'resync' : 'change';
}

/** Whether nothing of it that is needed has changed. */
function isSame<T extends Stored>({ before, after }: Change<T>): boolean {
  if (before === null || after === null) return false;
  return comparable(before) === comparable(after);
}

function comparable<T extends Stored>(object: T): string {
  return JSON.stringify({ ...object, resourceVersion: '' }, (key, value: unknown) =>
    key === 'content' ? null : value instanceof Map ? [...value] : value,
  );
}

/** A status that was written starts no pass: it is the result of the last one. */
function isStatusOnly({ before, after }: Change<PoolRecord>): boolean {
  if (before === null || after === null) return false;
  return (
    before.uid === after.uid &&
    before.generation === after.generation &&
    before.paused === after.paused &&
    before.terminating === after.terminating
  );
}
