/** One place that gets free and is taken again is no news: a server counts as full for so long after it was. */
const STAYS_MS = 10_000;

/** Remembers which servers were full a moment ago. */
export class Fullness {
  readonly #fullAt = new Map<string, number>();

  /**
   * Whether a server counts as full.
   *
   * @param atLimit whether it holds as many sessions as it may right now
   * @param now on the monotonic clock
   */
  look(server: string, atLimit: boolean, now: number): boolean {
    if (atLimit) this.#fullAt.set(server, now);
    const at = this.#fullAt.get(server);
    if (at === undefined) return false;
    if (now - at <= STAYS_MS) return true;
    this.#fullAt.delete(server);
    return false;
  }
}
