import type { Clock } from '../runtime/clock.ts';

/**
 * Keeps a process from flooding the API server: so many calls per second, with a reserve for bursts, and none at all until the time
 * that the server itself asked for.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #countedAt: number;
  #heldUntil = Number.NEGATIVE_INFINITY;

  /** @param perSecond calls per second in the long run, > 0 @param burst calls at once after a rest, ≥ 1 */
  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#countedAt = clock.monotonic();
  }

  /** Holds every call for so long: the server said `Retry-After`. */
  hold(ms: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, this.#clock.monotonic() + ms);
  }

  /** Waits for its turn, or until the signal is aborted. */
  async take(signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#countedAt) / 1_000) * this.#perSecond);
    this.#countedAt = now;
    this.#tokens -= 1; // below zero stands for those who wait already: each waits longer than the one before
    const waitMs = Math.max((-this.#tokens / this.#perSecond) * 1_000, 0);
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
    while (!signal.aborted && this.#clock.monotonic() < this.#heldUntil) {
      await this.#clock.sleep(this.#heldUntil - this.#clock.monotonic(), signal);
    }
  }
}
