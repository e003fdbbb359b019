import { POOL_LABEL } from '../api/v1alpha1/index.ts';
import { type KubeObject, objectKey } from '../kube/resource.ts';
import type { Change, Store, Stored } from '../kube/store.ts';
import type { Urgency } from '../kube/work-queue.ts';
import { CHILD_KINDS, type ChildKind } from '../pool/child.ts';
import { childNames, MANAGED_SELECTOR } from '../pool/resources/identity.ts';
import { type ChildRecord, childOutline, childRecord } from './child-record.ts';
import { ContentBudget } from './content-budget.ts';
import { NamespaceBudget } from './namespace-budget.ts';
import { isPodOfPool } from './pod-owner.ts';
import { type PodRecord, podOutline, podRecord } from './pod-record.ts';
import { type PoolReader, type PoolRecord, unreadablePool } from './pool-record.ts';
import { Reflectors, type ReflectorsOptions } from './reflectors.ts';
import { type ReplicaSetRecord, replicaSetRecord } from './replica-set-record.ts';
import { CHILD_TYPES, POD, POOL, REPLICA_SET } from './resources.ts';

/** What the watches work with, and what they notify. */
export interface WatchesOptions extends ReflectorsOptions {
  readonly pools: PoolReader;
  /** A pool, or something of it, is not as before. */
  readonly onPool: (key: string, urgency: Urgency) => void;
  /** Proxies of a pool may have come, changed or gone. */
  readonly onProxies: (pool: string) => void;
}

/** What is kept of what was saved of the pools of one namespace: a hundred pools of 4 000 servers, or many thousands of usual ones. */
const SAVED_BYTES = 16 * 1_048_576;

/** Every watch of the operator, and what it has seen. Warm in every replica, whether it leads or not. */
export class Watches {
  readonly pools: Store<PoolRecord>;
  readonly pods: Store<PodRecord>;
  readonly #replicaSets: Store<ReplicaSetRecord>;
  readonly #children = new Map<ChildKind, Store<ChildRecord>>();
  readonly #contents = new ContentBudget();
  readonly #saved = new NamespaceBudget(SAVED_BYTES);
  /** Of every kind, in every namespace. */
  readonly reflectors: Reflectors;

  constructor(options: WatchesOptions) {
    const { pools, onPool, onProxies } = options;
    this.reflectors = new Reflectors(options); // pools come first: whose the other objects are goes by them
    // Something whose label was changed leaves one pool and comes to another: both must hear of it.
    const wake = <T extends Stored & { readonly pool: string }>(change: Change<T>): void => {
      if (isSame(change)) return;
      // A label may name anything: of what is no pool nothing is remembered.
      for (const pool of poolsOf(change)) if (this.#isPool(pool)) onPool(pool, urgency(change));
    };
    const wakeForOwner = <T extends Stored & { readonly pool: string }>(change: Change<T>): void => {
      for (const pool of poolsOf(change)) onProxies(pool);
      wake(change);
    };
    this.pools = this.reflectors.add({
      type: POOL,
      project: (object) => pools.read(object),
      unreadable: unreadablePool,
      indexOf: keyOf,
      onChange: (change) => {
        if (change.after === null && change.before !== null) {
          pools.forget(change.before);
          this.#contents.forget(keyOf(change.before));
        }
        if (change.before === null || change.after === null) onProxies(keyOf(either(change)));
        if (!isStatusOnly(change)) onPool(keyOf(either(change)), urgency(change));
      },
    });
    this.pods = this.reflectors.add({
      type: POD,
      selectors: { labelSelector: POOL_LABEL },
      project: podRecord,
      unreadable: podOutline,
      indexOf: (pod) => (pod.proxy === null ? pod.pool : proxiesIn(pod.pool)),
      onChange: (change) => {
        if (change.before?.proxy != null || change.after?.proxy != null) for (const pool of poolsOf(change)) onProxies(pool);
        wake(change);
      },
    });
    this.#replicaSets = this.reflectors.add({
      type: REPLICA_SET,
      selectors: { labelSelector: POOL_LABEL },
      project: replicaSetRecord,
      unreadable: replicaSetRecord,
      indexOf: (set) => set.pool,
      onChange: wakeForOwner,
    });
    for (const kind of CHILD_KINDS) {
      const store = this.reflectors.add({
        type: CHILD_TYPES[kind],
        selectors: { labelSelector: MANAGED_SELECTOR },
        project: (object) => this.#child(object),
        unreadable: childOutline,
        indexOf: (child) => (couldBeChild(child) ? child.pool : NO_POOL),
        onChange: (change) => {
          if (change.after === null && change.before !== null) this.#saved.release(change.before.namespace, savedName(change.before));
          if (![change.before, change.after].some((child) => child !== null && couldBeChild(child))) return;
          if (kind === 'Deployment') wakeForOwner(change);
          else wake(change);
        },
      });
      this.#children.set(kind, store);
    }
  }

  /** Whether everything is known of this namespace: about its pools nothing may be concluded before. */
  knows(namespace: string): boolean {
    return this.reflectors.knows(namespace);
  }

  /** Every object that was made for a pool. */
  childrenOf(pool: string): ChildRecord[] {
    return [...this.#children.values()].flatMap((store) => store.by(pool));
  }

  /** Pods that say that they are proxies of the pool. */
  proxiesOf(pool: string): PodRecord[] {
    return this.pods.by(proxiesIn(pool));
  }

  /** Pods that say that they are servers of the pool. */
  serversOf(pool: string): PodRecord[] {
    return this.pods.by(pool);
  }

  /** Whether a pod is of the pool that it says. */
  isOurs(pod: PodRecord): boolean {
    const deployments = this.#children.get('Deployment');
    return deployments !== undefined && isPodOfPool(pod, { pools: this.pools, deployments, replicaSets: this.#replicaSets });
  }

  /** How many servers a pool has, by what was saved last. */
  serverCount(pool: string): number {
    return Math.max(0, ...(this.#children.get('ConfigMap')?.by(pool) ?? []).map(({ servers }) => servers));
  }

  /** Objects of a pool of which only the outline is known, because they came before the pool did. */
  outlinesOf(pool: PoolRecord): ChildRecord[] {
    return this.childrenOf(keyOf(pool)).filter((child) => child.partial === true && isChildOf(child.facts.ownerUid, child, pool));
  }

  /** Takes over an answer to a write of ours, or something that was read live. */
  put(object: KubeObject): void {
    if (object.kind === POOL.kind) this.pools.put(object);
    else if (object.kind === POD.kind) this.pods.put(object);
    else if (object.kind === REPLICA_SET.kind) this.#replicaSets.put(object);
    else this.#children.get(object.kind as ChildKind)?.put(object);
  }

  /** Lets go of the content of an object that is as it was applied: its fingerprint tells when it changes. */
  settle({ facts, kind, name, namespace }: ChildRecord): void {
    const known = this.#children.get(kind)?.get(namespace, name);
    if (known?.facts.fingerprint !== facts.fingerprint) return;
    known.facts = { ...known.facts, content: null };
  }

  /** A user who may make objects can label them as ours: only of those that a pool owns more than the outline is kept, and of no pool much. */
  #child(object: KubeObject): ChildRecord {
    const outline = childOutline(object);
    this.#saved.release(outline.namespace, savedName(outline));
    const pool = this.pools.get(outline.namespace, outline.pool.slice(outline.namespace.length + 1));
    if (pool === null || !isChildOf(outline.facts.ownerUid, outline, pool)) return outline;
    const record = childRecord(object, this.#contents.room(outline));
    this.#contents.keep(record);
    const { saved } = record;
    if (saved === null || this.#saved.take(record.namespace, savedName(record), saved.size)) return record;
    return { ...record, saved: null };
  }

  #isPool(key: string): boolean {
    const [namespace = '', name = ''] = key.split('/');
    return this.pools.get(namespace, name) !== null;
  }
}

/** The index of the proxies of a pool: they are few, and its servers may be thousands. */
function proxiesIn(pool: string): string {
  return `${pool} proxies`;
}

/** The pools that an object was of and is of. */
function poolsOf({ after, before }: Change<Stored & { readonly pool: string }>): Set<string> {
  return new Set([before, after].flatMap((each) => each?.pool ?? []));
}

/** What is saved in an object counts by its uid: one of the same name may be there before it is gone. */
function savedName({ kind, name, uid }: ChildRecord): string {
  return `${kind} ${name} ${uid}`;
}

/** The index of what has our labels and cannot be of a pool; nothing looks there. */
const NO_POOL = '';

/** Whether the name of an object is one that objects of its pool have: all others are nothing to the pool, however many there are. */
function couldBeChild({ kind, name, namespace, pool }: ChildRecord): boolean {
  return hasName({ kind, name }, pool.slice(namespace.length + 1));
}

function hasName({ kind, name }: Pick<ChildRecord, 'kind' | 'name'>, pool: string): boolean {
  return kind === 'Deployment' ? name.startsWith(`${pool}-`) : childNames({ name: pool }).includes(name);
}

/** Whether an object belongs to a pool and has a name that objects of the pool have. */
function isChildOf(ownerUid: string | null, { kind, name }: ChildRecord, pool: PoolRecord): boolean {
  return ownerUid === pool.uid && hasName({ kind, name }, pool.name);
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
    before.shownBytes === after.shownBytes &&
    before.paused === after.paused &&
    before.terminating === after.terminating
  );
}
