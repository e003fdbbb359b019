import { type Backoff, backoffMs } from '../runtime/backoff.ts';
import { Bell, type Clock, yieldTurn } from '../runtime/clock.ts';
import type { Rate } from '../runtime/stream-limits.ts';
import { KeyPace } from './key-pace.ts';

/** What a worker says of a key that it has handled. */
export type WorkResult = ({ readonly kind: 'done' } | { readonly kind: 'requeue'; readonly afterMs: number }) & {
  /** How long nothing else could be done meanwhile, in milliseconds. A key that keeps the process busy rests for it. */
  readonly busyMs?: number;
};

/** How keys are handled. */
export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly backoff: Backoff;
  /** Keys handled at once, ≥ 1. */
  readonly workers: number;
  /** How often one key is handled at most. */
  readonly pace: Rate;
  readonly handle: (key: string, signal: AbortSignal) => Promise<WorkResult>;
  readonly onError: (key: string, thrown: unknown, retryInMs: number) => void;
}

/** `change`: something happened to the object. `resync`: it was listed or is due; waits behind every change. */
export type Urgency = 'change' | 'resync';

interface Entry {
  readonly key: string;
  urgency: Urgency;
  /** On the monotonic clock. */
  dueAt: number;
  failures: number;
  running: boolean;
  /** Set when it came again while it was being handled: how soon after the last time it may be handled once more, in milliseconds. */
  again: number | null;
}

/** What is so short costs the others nothing. */
const BUSY_MS = 5;
const LONGEST_REST_MS = 5_000;

/** So long that a key takes little more than a tenth of the process; nothing for one that takes little. */
function restMs(busyMs: number): number {
  return Math.min(9 * Math.max(0, busyMs - BUSY_MS), LONGEST_REST_MS);
}

/**
 * Keys that wait to be handled. A key is there once, however often it comes, and is never handled twice at the same time; one that
 * comes while it is being handled is handled once more. A key that is idle takes no memory.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #bell = new Bell();
  readonly #pace: KeyPace;
  #runs = false;
  #running = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#pace = new KeyPace(options.clock, options.pace);
  }

  /** Keys that are being handled. */
  get running(): number {
    return this.#running;
  }

  /** Keys that could be handled now. */
  get depth(): number {
    const now = this.#options.clock.monotonic();
    return [...this.#entries.values()].filter((entry) => !entry.running && entry.dueAt <= now).length;
  }

  /**
   * Adds a key, to be handled as soon as a worker is free and its pace allows. A change also ends the wait of a key that is due later.
   *
   * @param spacingMs least time since it was handled last, for news that may come many times a second
   */
  add(key: string, urgency: Urgency = 'change', spacingMs = 0): void {
    const dueAt = this.#options.clock.monotonic() + this.#pace.waitMs(key, spacingMs);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { key, urgency, dueAt, failures: 0, running: false, again: null });
    } else if (entry.running) {
      entry.again = Math.min(entry.again ?? spacingMs, spacingMs);
      if (urgency === 'change') entry.urgency = 'change';
    } else {
      if (urgency === 'change') entry.urgency = 'change';
      if (entry.failures === 0) entry.dueAt = Math.min(entry.dueAt, dueAt); // a key that fails keeps its delay: changes must not make it hot
    }
    this.#bell.ring();
  }

  /**
   * Handles keys until the signal is aborted, then waits for those being handled.
   *
   * @throws Error while it runs already: two loops over one queue would handle keys twice
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#runs) throw new Error('a work queue runs once at a time');
    this.#runs = true;
    const running = new Set<Promise<void>>();
    while (!signal.aborted) {
      for (let entry = this.#next(running.size); entry !== undefined; entry = this.#next(running.size)) {
        const handled = this.#handle(entry, signal).finally(() => {
          running.delete(handled);
          this.#bell.ring();
        });
        running.add(handled);
      }
      await this.#bell.wait(this.#options.clock, this.#pauseMs(), signal);
    }
    await Promise.all(running);
    this.#runs = false;
  }

  #next(running: number): Entry | undefined {
    if (running >= this.#options.workers) return undefined;
    const now = this.#options.clock.monotonic();
    let best: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.running || entry.dueAt > now) continue;
      if (best === undefined || (best.urgency === 'resync' && entry.urgency === 'change')) best = entry;
      if (best.urgency === 'change') break; // in the order of arrival
    }
    return best;
  }

  #pauseMs(): number {
    const now = this.#options.clock.monotonic();
    const waiting = [...this.#entries.values()].filter((entry) => !entry.running && entry.dueAt > now);
    return Math.min(60_000, ...waiting.map((entry) => entry.dueAt - now));
  }

  async #handle(entry: Entry, signal: AbortSignal): Promise<void> {
    const { backoff, clock, handle, onError, random } = this.#options;
    this.#running += 1;
    entry.running = true;
    entry.again = null;
    this.#pace.take(entry.key);
    entry.urgency = 'resync';
    try {
      const result = await handle(entry.key, signal);
      this.#pace.rest(entry.key, restMs(result.busyMs ?? 0));
      entry.failures = 0;
      this.#settle(entry, result.kind === 'requeue' ? result.afterMs : null);
    } catch (thrown) {
      entry.failures += 1;
      const delay = backoffMs(backoff, entry.failures, random());
      entry.running = false;
      entry.dueAt = clock.monotonic() + delay;
      if (!signal.aborted) onError(entry.key, thrown, delay);
    } finally {
      this.#running -= 1;
    }
    await yieldTurn(); // a thousand keys with nothing to do must not be one long turn
  }

  #settle(entry: Entry, afterMs: number | null): void {
    entry.running = false;
    this.#entries.delete(entry.key); // and to the end of the order, if it stays
    const { again } = entry;
    if (again === null && afterMs === null) return;
    const waits = [afterMs ?? [], again === null ? [] : this.#pace.waitMs(entry.key, again)].flat();
    const waitMs = Math.max(this.#pace.waitMs(entry.key, 0), Math.min(...waits));
    this.#entries.set(entry.key, { ...entry, dueAt: this.#options.clock.monotonic() + waitMs, again: null });
  }
}
