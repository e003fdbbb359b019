import type { Clock } from './clock.ts';
import type { Rate } from './stream-limits.ts';

/** Counts what has come against a rate. */
export class Allowance {
  readonly #clock: Clock;
  #taken = 0;
  #countedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.monotonic();
  }

  /**
   * Takes an amount off.
   *
   * @param rate what is allowed now; a larger one than before counts at once
   * @returns false when it is more than the rate allows
   */
  take(amount: number, { burst, perSecond }: Rate): boolean {
    const now = this.#clock.monotonic();
    this.#taken = Math.max(0, this.#taken - ((now - this.#countedAt) / 1_000) * perSecond) + amount;
    this.#countedAt = now;
    return this.#taken <= burst;
  }
}
