/** Spreads closing over time: hands out at most `perSecond` permits a second, and never more than a second's worth at once. */
export class Pace {
  #permits = 0;
  #at: number | undefined;

  /**
   * Permits earned since the last call, whole ones; the rest stays for the next.
   *
   * @param monotonicMs on the monotonic clock
   */
  take(perSecond: number, monotonicMs: number): number {
    const earned = this.#at === undefined ? 1 : ((monotonicMs - this.#at) * perSecond) / 1_000;
    this.#at = monotonicMs;
    this.#permits = Math.min(this.#permits + earned, Math.max(perSecond, 1));
    const whole = Math.floor(this.#permits);
    this.#permits -= whole;
    return whole;
  }

  /** Gives back permits for which there was no session to close. */
  giveBack(count: number): void {
    this.#permits += count;
  }

  /** No session is left to close: the next drain begins again. */
  reset(): void {
    this.#permits = 0;
    this.#at = undefined;
  }
}
