import type { ChildRecord } from './child-record.ts';

/** Content that is kept of the objects of one kind of one pool until it was compared. What has no room is applied again instead. */
const BYTES = 131_072;

/** Bounds what is kept of the objects of each pool: a user who owns a pool can make many of them, and large ones. */
export class ContentBudget {
  /** By kind and pool. What holds a record is the store; one that it has dropped costs nothing any more. */
  readonly #kept = new Map<string, Set<WeakRef<ChildRecord>>>();

  /** Bytes that one more object may take. */
  room({ kind, pool }: Pick<ChildRecord, 'kind' | 'pool'>): number {
    const group = this.#kept.get(`${kind} ${pool}`);
    let left = BYTES;
    for (const reference of group ?? []) {
      const bytes = reference.deref()?.facts.content?.size ?? 0;
      if (bytes === 0) group?.delete(reference);
      left -= bytes;
    }
    return left;
  }

  /** An object is kept from now on, for as long as the store holds it. */
  keep(record: ChildRecord): void {
    if (record.facts.content === null) return;
    const key = `${record.kind} ${record.pool}`;
    const group = this.#kept.get(key) ?? new Set<WeakRef<ChildRecord>>();
    group.add(new WeakRef(record));
    this.#kept.set(key, group);
  }

  /** A pool is gone. @param pool its key */
  forget(pool: string): void {
    for (const key of this.#kept.keys()) if (key.endsWith(` ${pool}`)) this.#kept.delete(key);
  }
}
