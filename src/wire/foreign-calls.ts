import type { Clock } from '../runtime/clock.ts';

/** Calls that may wait at once: of one address as many as a pod has containers with a hook, and few in all. */
const MOST = { ofAddress: 4, inAll: 16 } as const;
/** A call is reported this often at most, in milliseconds; it costs its caller nothing. */
const REPORT_MS = 60_000;

/** Calls of the hook from elsewhere than the node: each waits for its answer, and so takes a connection. */
export class ForeignCalls {
  readonly #clock: Clock;
  readonly #report: (from: string, more: number) => void;
  readonly #waiting = new Map<string, number>();
  #reportedAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  /** @param report told of a call, and of how many there were since it was told last */
  constructor(clock: Clock, report: (from: string, more: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** Calls that wait. */
  get size(): number {
    return [...this.#waiting.values()].reduce((sum, count) => sum + count, 0);
  }

  /** A call came from this address. @returns whether it may wait; `end` is to be called when it does no longer */
  begin(from: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#reportedAt >= REPORT_MS) {
      this.#report(from, this.#unreported);
      [this.#reportedAt, this.#unreported] = [now, 0];
    } else {
      this.#unreported += 1;
    }
    const ofAddress = this.#waiting.get(from) ?? 0;
    if (ofAddress >= MOST.ofAddress || this.size >= MOST.inAll) return false;
    this.#waiting.set(from, ofAddress + 1);
    return true;
  }

  /** A call that waited has its answer, or was given up. */
  end(from: string): void {
    const left = (this.#waiting.get(from) ?? 1) - 1;
    if (left > 0) this.#waiting.set(from, left);
    else this.#waiting.delete(from);
  }
}
