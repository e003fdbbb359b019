import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import type { Report } from './event.ts';
import { BACKEND } from './model.ts';
import { runCommands } from './runtime-socket.ts';

/** Counts of one look: HAProxy walks through the whole table for each, which takes 10 ms where it holds a hundred thousand clients. */
const PER_LOOK = { least: 4, first: 16, most: 128 } as const;
/** Time that the counts of one look may take, in milliseconds. */
const LOOK_MS = 40;
/** Clients that connected in the moment of a drain are remembered just after the table was cleared: they are looked for again and again. */
const HOT_MS = 200;

/** What the counts work with. */
export interface RememberedCountsOptions {
  /** Path of the runtime socket of the current worker. */
  readonly socket: string;
  readonly clock: Clock;
  readonly report: Report;
}

/** Counts the clients that the stick table remembers for servers that should have none: a few servers per look, in turn. */
export class RememberedCounts {
  readonly #options: RememberedCountsOptions;
  /** When each server was counted last, by id, on the monotonic clock. */
  readonly #countedAt = new Map<number, number>();
  /** When the clients of a server were forgotten last. */
  readonly #forgottenAt = new Map<number, number>();
  #slow = false;
  #perLook: number = PER_LOOK.first;

  constructor(options: RememberedCountsOptions) {
    this.#options = options;
  }

  /** The clients of these servers were just forgotten. */
  forgotten(ids: readonly number[]): void {
    for (const id of ids) this.#forgottenAt.set(id, this.#options.clock.monotonic());
  }

  /**
   * Counts for some of these servers. A table that cannot be read in time is no sign that HAProxy is gone: nothing is counted then.
   *
   * @returns clients by server id
   */
  async read(ids: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const asked = new Set(ids);
    for (const map of [this.#countedAt, this.#forgottenAt]) for (const id of map.keys()) if (!asked.has(id)) map.delete(id);
    const some = this.#choose(ids);
    if (some.length === 0) return new Map();
    const { clock, report, socket } = this.#options;
    for (const id of some) this.#countedAt.set(id, clock.monotonic());
    const begun = clock.monotonic();
    try {
      const answers = await runCommands(
        socket,
        some.map((id) => `show table ${BACKEND} data.server_id eq ${id}`),
      );
      this.#slow = false;
      this.#adjust((clock.monotonic() - begun) / some.length);
      return new Map(some.map((id, index) => [id, countEntries(answers[index] ?? '')]));
    } catch (thrown) {
      if (!(thrown instanceof CccamError)) throw thrown;
      const message = `the table of clients could not be read (${thrown.message}); a client may come back to a drained server meanwhile`;
      if (!this.#slow) report({ severity: 'Warning', reason: 'TableUnread', server: null, message });
      this.#slow = true;
      this.#perLook = PER_LOOK.least;
      return new Map();
    }
  }

  /** @param eachMs how long one count took */
  #adjust(eachMs: number): void {
    this.#perLook = Math.round(Math.min(PER_LOOK.most, Math.max(PER_LOOK.least, LOOK_MS / Math.max(eachMs, 0.1))));
  }

  /** Those that were forgotten a moment ago, then those that were counted the longest time ago. */
  #choose(ids: readonly number[]): number[] {
    const now = this.#options.clock.monotonic();
    const isHot = (id: number): boolean => now - (this.#forgottenAt.get(id) ?? Number.NEGATIVE_INFINITY) < HOT_MS;
    const age = (id: number): number => this.#countedAt.get(id) ?? Number.NEGATIVE_INFINITY;
    return [...ids].sort((a, b) => Number(isHot(b)) - Number(isHot(a)) || age(a) - age(b) || a - b).slice(0, this.#perLook);
  }
}

/** `# table: servers, …` and then one line per client. */
function countEntries(table: string): number {
  return table.split('\n').filter((line) => line.startsWith('0x')).length;
}
