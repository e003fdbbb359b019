/** Time as an argument: what the program knows of it, and waiting. */
export interface Clock {
  /** Milliseconds since the epoch as this process counts them: the wall clock when it began, and what has passed since. Never jumps. */
  now(): number;
  /** Milliseconds since the epoch by the clock on the wall. May jump; only for what is shown, and beside times that others wrote. */
  wall(): number;
  /** Milliseconds since this machine began, for every process on it the same; stands still while the machine sleeps. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal is aborted. Never rejects: the caller looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1_000_000;
}

const BEGUN = Date.now() - monotonic();

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Math.round(BEGUN + monotonic()),
  wall: () => Date.now(),
  monotonic,
  async sleep(ms, signal) {
    if (signal?.aborted === true) return;
    // Not that of node:timers/promises: it makes an error with a stack for each sleep that is cut short, and most are.
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal?.addEventListener('abort', wake, { once: true });
    });
  },
};

/**
 * Lets whatever else is due have its turn. Work that goes from one promise to the next without ever waiting for the outside holds up timers
 * and sockets, and every weak reference that it follows counts as a strong one until then.
 */
export async function yieldTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Another clock whose `now` is some milliseconds ahead of it. */
export function aheadBy(clock: Clock, shiftMs: () => number): Clock {
  return {
    now: () => clock.now() + shiftMs(),
    wall: () => clock.wall(),
    monotonic: () => clock.monotonic(),
    sleep: async (ms, signal) => await clock.sleep(ms, signal),
  };
}

/** Given as the reason, because without one an error with a stack is made for each. */
const WOKEN = 'woken';
const TOO_LONG = 'it took too long';

/** A bell that one loop waits at: rings are remembered, so that one that comes while the loop works is not lost. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  /** Ends the wait under way, or the next one. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Waits for a ring, for `ms` milliseconds at most, or until the signal is aborted. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const woken = new AbortController();
      const wake = (): void => woken.abort(WOKEN);
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true }); // not AbortSignal.any: one would stay registered on the long-lived signal per wait
      await clock.sleep(ms, woken.signal);
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

/**
 * How long a piece of work may take. To be disposed of when it is done: AbortSignal.timeout would keep whatever listens to it, a whole
 * request with its answer, until the time is up.
 */
export class TimeLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #done = new AbortController();
  readonly #over: AbortSignal | undefined;
  readonly #stop = (): void => this.#controller.abort(this.#over?.reason);
  #passed = false;

  /** @param ms span in milliseconds @param over ends the work, too */
  constructor(clock: Clock, ms: number, over?: AbortSignal) {
    this.#over = over;
    void this.#wait(clock, ms); // a sleep never rejects
    if (over?.aborted === true) this.#stop();
    over?.addEventListener('abort', this.#stop, { once: true });
  }

  /** Aborted when the time is up, or when the work is over for another reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the time was up. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Lets the work go on without a limit. */
  lift(): void {
    this.#done.abort(WOKEN);
  }

  [Symbol.dispose](): void {
    this.lift();
    this.#over?.removeEventListener('abort', this.#stop);
  }

  async #wait(clock: Clock, ms: number): Promise<void> {
    await clock.sleep(ms, this.#done.signal);
    if (this.#done.signal.aborted) return;
    this.#passed = true;
    this.#controller.abort(TOO_LONG);
  }
}
