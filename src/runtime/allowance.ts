import type { Rate } from './stream-limits.ts';

/** Counts what has come against a rate. */
export class Allowance {
  readonly #rate: Rate;
  #left: number;
  #countedAt: number;

  /** @param now on the monotonic clock, in milliseconds */
  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#countedAt = now;
  }

  /** Takes an amount off. @returns false when it is more than the rate allows */
  take(amount: number, now: number): boolean {
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#countedAt) / 1_000) * perSecond) - amount;
    this.#countedAt = now;
    return this.#left >= 0;
  }
}
