/** What may be kept of one kind of thing for each namespace: a user who may write there could otherwise fill the memory of all. */
export class NamespaceBudget {
  readonly #most: number;
  readonly #kept = new Map<string, { bytes: number; readonly sizes: Map<string, number> }>();

  /** @param most bytes for each namespace */
  constructor(most: number) {
    this.#most = most;
  }

  /** Counts something in place of what its name stood for. @returns false when there is no room: then nothing counts for it any more */
  take(namespace: string, name: string, bytes: number): boolean {
    this.release(namespace, name);
    const kept = this.#kept.get(namespace) ?? { bytes: 0, sizes: new Map<string, number>() };
    if (kept.bytes + bytes > this.#most) return false;
    kept.bytes += bytes;
    kept.sizes.set(name, bytes);
    this.#kept.set(namespace, kept);
    return true;
  }

  /** Something is no longer kept. */
  release(namespace: string, name: string): void {
    const kept = this.#kept.get(namespace);
    if (kept === undefined) return;
    kept.bytes -= kept.sizes.get(name) ?? 0;
    kept.sizes.delete(name);
    if (kept.sizes.size === 0) this.#kept.delete(namespace);
  }
}
