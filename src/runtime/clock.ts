import { setTimeout as sleep } from 'node:timers/promises';

/** Time as an argument: what the program knows of the clock on the wall and of waiting. */
export interface Clock {
  /** Milliseconds since the epoch. May jump; use it only for what is shown or kept over a restart. */
  now(): number;
  /** Milliseconds of a clock that never jumps; for measuring how long something took. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal is aborted. Never rejects: the caller looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, signal === undefined ? undefined : { signal });
    } catch (thrown) {
      if (!(thrown instanceof Error && thrown.name === 'AbortError')) throw thrown;
    }
  },
};

/** A bell that one loop waits at: rings are remembered, so that one that comes while the loop works is not lost. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Ends the wait under way, or the next one. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Waits for a ring, for `ms` milliseconds at the most, or until the signal is aborted. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const woken = new AbortController();
      const wake = (): void => woken.abort();
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true }); // not AbortSignal.any: one would stay registered on the long-lived signal per wait
      await clock.sleep(ms, woken.signal);
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
