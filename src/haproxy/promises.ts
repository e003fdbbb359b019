/** A client whose session was closed comes back within that, or not at all: OSCam's longest wait between two tries is half a minute. */
const KEPT_MS = 60_000;

/** Places that are promised to clients whose sessions were closed and who are on their way to another server. */
export class Promises {
  readonly #closed: { readonly count: number; readonly at: number }[] = [];
  /** Sessions on the other servers before the first of them came. */
  #before = 0;

  /** @param elsewhere sessions on the other servers now @param now on the monotonic clock */
  add(count: number, elsewhere: number, now: number): void {
    if (this.#closed.length === 0) this.#before = elsewhere;
    this.#closed.push({ count, at: now });
  }

  /** How many are still on their way: those who came since then have taken their places. */
  outstanding(elsewhere: number, now: number): number {
    while (this.#closed[0] !== undefined && now - this.#closed[0].at > KEPT_MS) this.#closed.shift();
    const promised = this.#closed.reduce((sum, { count }) => sum + count, 0);
    return promised === 0 ? 0 : Math.max(0, promised - Math.max(0, elsewhere - this.#before));
  }
}
