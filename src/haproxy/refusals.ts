import type { ActualProcess } from './actual.ts';

/** Clients that were refused. */
export interface Refusals {
  /** By the limits of their address, and because the proxy was full; since the worker began. */
  readonly client: number;
  readonly full: number;
  /** In the last minute. */
  readonly lately: { readonly client: number; readonly full: number };
}

const LATELY_MS = 60_000;

/** Counts clients that were refused over the last minute, from counters that begin again with each worker. */
export class RefusalCounter {
  #pid = 0;
  readonly #past: { readonly at: number; readonly client: number; readonly full: number }[] = [];
  #before = { client: 0, full: 0 };

  /** Takes over what a worker has counted. @param now on the monotonic clock */
  count(pid: number, { client, full }: ActualProcess['refused'], now: number): Refusals {
    if (pid !== this.#pid) this.#before = { client: 0, full: 0 };
    this.#pid = pid;
    const more = { client: Math.max(0, client - this.#before.client), full: Math.max(0, full - this.#before.full) };
    this.#before = { client, full };
    if (more.client + more.full > 0) this.#past.push({ at: now, ...more });
    while (this.#past[0] !== undefined && now - this.#past[0].at > LATELY_MS) this.#past.shift();
    const sum = (key: 'client' | 'full'): number => this.#past.reduce((total, each) => total + each[key], 0);
    return { client, full, lately: { client: sum('client'), full: sum('full') } };
  }
}
