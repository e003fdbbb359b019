import type { Clock } from '../runtime/clock.ts';

/** Answers whose dates are kept; the middle one of them counts, so that a slow answer or another API server's clock moves nothing. */
const SAMPLES = 9;
/** An answer says its date in whole seconds, and took a while: less than that is no difference. */
const EXACT_MS = 1_500;

/**
 * A clock whose `now` is that of the API server, measured by the dates of its answers. Times that are written in a cluster are written in
 * it, so that two nodes whose clocks differ by minutes mean the same moment.
 */
export class ServerClock implements Clock {
  readonly #base: Clock;
  readonly #onKnown: () => void;
  readonly #samples: number[] = [];
  #aheadMs = 0;

  /** @param onKnown called once, when the API server has said its date for the first time */
  constructor(base: Clock, onKnown: () => void = () => undefined) {
    this.#base = base;
    this.#onKnown = onKnown;
  }

  /** Whether the API server has said its date. Before that, `now` is this machine's. */
  get isKnown(): boolean {
    return this.#samples.length > 0;
  }

  /** How far the API server's clock is ahead of this process's, in milliseconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /**
   * Takes over the date of an answer.
   *
   * @param date as the header says it
   * @param tookMs between the call and its answer
   */
  hear(date: string | undefined, tookMs: number): void {
    const said = Date.parse(date ?? '');
    if (!Number.isFinite(said)) return;
    const first = !this.isKnown;
    this.#samples.push(said + 500 - (this.#base.now() - tookMs / 2));
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
    this.#aheadMs = Math.abs(middle) < EXACT_MS ? 0 : Math.round(middle);
    if (first) this.#onKnown();
  }

  now(): number {
    return this.#base.now() + this.#aheadMs;
  }

  wall(): number {
    return this.#base.wall();
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#base.sleep(ms, signal);
  }
}
