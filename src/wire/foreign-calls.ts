import type { Clock } from '../runtime/clock.ts';

/** A call is reported this often at most, in milliseconds; it costs its caller nothing. */
const REPORT_MS = 60_000;

/**
 * Calls of the hook from elsewhere than the node, as they are told in the log. None is refused: where a network hides the kubelet's address its
 * own look the same, and a kubelet ends a container at once whose hook is refused.
 */
export class ForeignCalls {
  readonly #clock: Clock;
  readonly #report: (from: string, more: number) => void;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  /** @param report told of a call, and of how many there were since it was told last */
  constructor(clock: Clock, report: (from: string, more: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** A call came from this address. */
  told(from: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#reportedAt < REPORT_MS) {
      this.#unreported += 1;
      return;
    }
    this.#report(from, this.#unreported);
    [this.#reportedAt, this.#unreported] = [now, 0];
  }
}
