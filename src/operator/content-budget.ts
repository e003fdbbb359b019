/** Content that is kept of the objects of one kind of one pool until it was compared. What has no room is applied again instead. */
const BYTES = 131_072;

/** Bounds what is kept of the objects of each pool: a user who owns a pool can make many of them, and large ones. */
export class ContentBudget {
  /** Bytes by name of the object, by kind and pool. */
  readonly #kept = new Map<string, Map<string, number>>();

  /** Bytes that one more object may take. @param group kind and pool */
  room(group: string, name: string): number {
    let left = BYTES;
    for (const [other, bytes] of this.#kept.get(group) ?? []) if (other !== name) left -= bytes;
    return left;
  }

  /** So much is kept of an object now. */
  keep(group: string, name: string, bytes: number): void {
    const names = this.#kept.get(group) ?? new Map<string, number>();
    if (bytes === 0) names.delete(name);
    else names.set(name, bytes);
    if (names.size === 0) this.#kept.delete(group);
    else this.#kept.set(group, names);
  }
}
