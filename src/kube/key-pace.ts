import type { Clock } from '../runtime/clock.ts';
import type { Rate } from '../runtime/stream-limits.ts';

interface Spent {
  /** Turns that were taken and are not earned back yet. */
  turns: number;
  /** Time of the last turn, on the monotonic clock. */
  at: number;
  /** Until when it rests, on the monotonic clock. */
  restsUntil: number;
}

/** Keys that are remembered before those are looked for that have earned everything back. */
const MANY = 1_024;

/** Keeps each key to a rate, so that one that comes all the time cannot take the turns of the others. */
export class KeyPace {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #spent = new Map<string, Spent>();
  #prunedAt = MANY;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#spent.size;
  }

  /**
   * Milliseconds until it is the key's turn; 0 for now.
   *
   * @param spacingMs least time since its last turn
   */
  waitMs(key: string, spacingMs: number): number {
    const spent = this.#spent.get(key);
    if (spent === undefined) return 0;
    const { burst, perSecond } = this.#rate;
    const excess = this.#left(spent) + 1 - burst;
    const now = this.#clock.monotonic();
    return Math.max(0, (excess / perSecond) * 1_000, spent.at + spacingMs - now, spent.restsUntil - now);
  }

  /** It is the key's turn. */
  take(key: string): void {
    const spent = this.#spent.get(key) ?? { turns: 0, at: this.#clock.monotonic(), restsUntil: 0 };
    spent.turns = this.#left(spent) + 1;
    spent.at = this.#clock.monotonic();
    this.#spent.set(key, spent);
    if (this.#spent.size > this.#prunedAt) this.#prune();
  }

  /** After its turn a key rests for so long. */
  rest(key: string, ms: number): void {
    const spent = this.#spent.get(key);
    if (spent !== undefined) spent.restsUntil = this.#clock.monotonic() + ms;
  }

  #left({ at, turns }: Spent): number {
    return Math.max(0, turns - ((this.#clock.monotonic() - at) / 1_000) * this.#rate.perSecond);
  }

  #prune(): void {
    const now = this.#clock.monotonic();
    for (const [key, spent] of this.#spent) if (this.#left(spent) === 0 && spent.restsUntil <= now) this.#spent.delete(key);
    this.#prunedAt = Math.max(MANY, 2 * this.#spent.size);
  }
}
