import type { Readable } from 'node:stream';
import type { Clock } from './clock.ts';

/** Nothing was heard for too long. */
export class SilentError extends Error {}

/** Ends a stream on which nothing is heard for too long. A socket's own timer would count what we send, too. */
export class Silence {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #heardAt: number;

  /** @param limitMs longest silence, in milliseconds */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#heardAt = clock.monotonic();
  }

  /** Something was heard. */
  received(): void {
    this.#heardAt = this.#clock.monotonic();
  }

  /** Watches until the signal is aborted, or the silence has lasted too long: then the stream is destroyed with an error that says so. */
  async watch(stream: Readable, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const leftMs = this.#heardAt + this.#limitMs - this.#clock.monotonic();
      if (leftMs <= 0) {
        stream.destroy(new SilentError(`silent for ${Math.round(this.#limitMs / 1_000)} s`));
        return;
      }
      await this.#clock.sleep(leftMs, signal);
    }
  }
}
