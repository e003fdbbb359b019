import type { Clock } from '../../src/runtime/clock.ts';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #time: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(time = Date.parse('2026-01-01T00:00:00Z')) {
    this.#time = time;
  }

  /** How many wait for a later time. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#time;
  }

  wall(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const sleeper: Sleeper = {
        until: this.#time + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Moves time on, waking everybody whose time has come, in order, with room for what each does next. */
  async advance(ms: number): Promise<void> {
    const target = this.#time + ms;
    for (;;) {
      await settle();
      const due = [...this.#sleepers].filter((sleeper) => sleeper.until <= target).sort((a, b) => a.until - b.until)[0];
      if (due === undefined) break;
      this.#time = Math.max(this.#time, due.until);
      due.wake();
    }
    this.#time = target;
    await settle();
  }
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
