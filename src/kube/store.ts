import { type KubeObject, objectKey } from './resource.ts';

/** What a store keeps of an object at least. */
export interface Stored {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Whether not everything that is needed of it was kept, so that the same version may be put in once more. */
  readonly partial?: boolean;
  /** Size of what the server shows of it, where one version may be shown in two ways: after a change of the kind's schema. */
  readonly shownBytes?: number;
}

/** One object of a store that is not as before; null stands for not there. One that was deleted and made again comes as two. */
export interface Change<T> {
  readonly before: T | null;
  readonly after: T | null;
  /** Whether it was found by listing, or is an answer to our own write, and was not told by a watch. */
  readonly listed: boolean;
}

/**
 * The objects of one kind as last heard of, each reduced to the fields that are needed. Answers to our own writes are put in too, so
 * that a pass never sees the world as it was before its predecessor; older versions from a watch are ignored.
 */
export class Store<T extends Stored> {
  readonly #objects = new Map<string, T>();
  readonly #index = new Map<string, Set<string>>();
  readonly #project: (object: KubeObject) => T;
  readonly #indexOf: (object: T) => string;
  readonly #onChange: (change: Change<T>) => void;
  /** Newest version that is known of, by what is listed and watched by itself: a namespace, or '' for all of them. */
  readonly #newest = new Map<string, string>();

  /**
   * @param project reduces an object; it must not keep the object itself
   * @param indexOf what objects are found by besides their key, such as their owner
   */
  constructor(project: (object: KubeObject) => T, indexOf: (object: T) => string, onChange: (change: Change<T>) => void) {
    this.#project = project;
    this.#indexOf = indexOf;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(namespace: string, name: string): T | null {
    return this.#objects.get(objectKey(namespace, name)) ?? null;
  }

  all(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** The objects with that index value, ordered by key. */
  by(value: string): T[] {
    return [...(this.#index.get(value) ?? [])].sort().flatMap((key) => this.#objects.get(key) ?? []);
  }

  /**
   * Takes over a whole list: what is not in it is gone, whatever its version; an API server that was restored from a backup counts back.
   *
   * @param namespace the one that was listed; '' for all of them
   * @returns how many objects were not as the store had them: what the watch before has missed
   */
  replace(objects: readonly T[], resourceVersion: string, namespace = ''): number {
    let missed = 0;
    const left = new Set([...this.#objects].filter(([, object]) => namespace === '' || object.namespace === namespace).map(([key]) => key));
    for (const object of objects) {
      const key = objectKey(object.namespace, object.name);
      left.delete(key);
      const before = this.#objects.get(key);
      const isSame = before !== undefined && isSameVersion(before, object) && before.shownBytes === object.shownBytes;
      if (isSame && before.partial !== true) continue;
      if (!isSame) missed += 1;
      this.#set(key, object, true);
    }
    for (const key of left) this.#delete(key, true);
    this.#newest.set(namespace, resourceVersion);
    return missed + left.size;
  }

  /**
   * Takes over an object that a watch or an answer to a write has told.
   *
   * @param listed false for what a watch told; an answer to our own write is no news to us
   */
  put(object: KubeObject, listed = true): void {
    const projected = this.#project(object);
    const key = objectKey(projected.namespace, projected.name);
    const before = this.#objects.get(key);
    if (
      before === undefined
        ? isOlder(projected.resourceVersion, this.#newest.get(this.#scope(projected.namespace)) ?? '0')
        : isStale(projected, before)
    )
      return;
    this.#set(key, projected, listed);
  }

  /** Takes over an event of a watch. */
  apply(kind: 'added' | 'modified' | 'deleted', object: KubeObject): void {
    const version = object.metadata.resourceVersion ?? '0';
    if (kind === 'deleted') {
      const key = objectKey(object.metadata.namespace ?? '', object.metadata.name);
      if (this.#objects.get(key)?.uid === object.metadata.uid) this.#delete(key, false);
    } else {
      this.put(object, false);
    }
    const scope = this.#scope(object.metadata.namespace ?? '');
    if (!isOlder(version, this.#newest.get(scope) ?? '0')) this.#newest.set(scope, version);
  }

  #scope(namespace: string): string {
    return this.#newest.has(namespace) ? namespace : '';
  }

  #set(key: string, object: T, listed: boolean): void {
    const before = this.#objects.get(key) ?? null;
    if (before !== null && before.uid !== object.uid) {
      this.#delete(key, listed);
      this.#set(key, object, listed);
      return;
    }
    if (before !== null) this.#unindex(key, before);
    this.#objects.set(key, object);
    const value = this.#indexOf(object);
    const keys = this.#index.get(value) ?? new Set();
    keys.add(key);
    this.#index.set(value, keys);
    this.#onChange({ before, after: object, listed });
  }

  #delete(key: string, listed: boolean): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#unindex(key, before);
    this.#objects.delete(key);
    this.#onChange({ before, after: null, listed });
  }

  #unindex(key: string, object: T): void {
    const value = this.#indexOf(object);
    const keys = this.#index.get(value);
    keys?.delete(key);
    if (keys?.size === 0) this.#index.delete(value);
  }
}

function isSameVersion(object: Stored, before: Stored): boolean {
  return object.uid === before.uid && object.resourceVersion === before.resourceVersion;
}

function isStale(object: Stored, before: Stored): boolean {
  if (isSameVersion(object, before)) return before.partial !== true;
  return isOlder(object.resourceVersion, before.resourceVersion);
}

/**
 * Whether one version is older than another. Versions are whole numbers that grow (KEP-5504 makes that a promise; etcd-backed servers
 * have always done so); anything else counts as new.
 */
export function isOlder(version: string, than: string): boolean {
  if (!/^[0-9]{1,20}$/.test(version) || !/^[0-9]{1,20}$/.test(than)) return false;
  return BigInt(version) < BigInt(than);
}
