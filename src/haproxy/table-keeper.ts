import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { lines } from '../runtime/lines.ts';
import type { ActualProxy } from './actual.ts';
import type { Command } from './command.ts';
import { BACKEND, FRONTEND, type ProxyModel, stickyRefreshMs } from './model.ts';
import { type ControlSockets, runMasterCommand, streamCommand } from './runtime-socket.ts';

/** How often the current worker is told what clients hold in earlier ones. */
const HELD_EVERY_MS = 2_000;
/** Longest line of a table by far. */
const LINE_BYTES = 4_096;

/**
 * Keeps the tables of the current worker true about what it cannot know: which clients still have sessions in earlier workers, and which
 * remembered clients have a session at all.
 */
export class TableKeeper {
  readonly #sockets: ControlSockets;
  readonly #clock: Clock;
  #pid = 0;
  /** What the worker was told of clients' sessions in earlier workers. */
  #reported: ReadonlyMap<string, number> = new Map();
  #heldAt = Number.NEGATIVE_INFINITY;
  #refreshedAt: number;

  constructor(sockets: ControlSockets, clock: Clock) {
    this.#sockets = sockets;
    this.#clock = clock;
    this.#refreshedAt = clock.monotonic();
  }

  /**
   * Commands that are due now.
   *
   * @param connected addresses of clients with a session, as tables print them
   */
  async due(wanted: ProxyModel, actual: ActualProxy, connected: ReadonlySet<string>): Promise<readonly Command[]> {
    const now = this.#clock.monotonic();
    if (actual.current.pid !== this.#pid) {
      this.#pid = actual.current.pid;
      this.#reported = new Map();
      this.#heldAt = Number.NEGATIVE_INFINITY;
    }
    return [...(await this.#held(wanted, actual, now)), ...(await this.#refresh(wanted, actual, connected, now))];
  }

  /** The limit of a client's sessions counts those in earlier workers, too. */
  async #held({ structure }: ProxyModel, actual: ActualProxy, now: number): Promise<Command[]> {
    const needed = structure.perClient.connections !== null && actual.current.process.tables.has(FRONTEND);
    if (!needed || (actual.old.length === 0 && this.#reported.size === 0) || now - this.#heldAt < HELD_EVERY_MS) return [];
    this.#heldAt = now;
    const held = new Map<string, number>();
    for (const { pid } of actual.old) {
      for (const [client, count] of await this.#countsIn(pid)) held.set(client, (held.get(client) ?? 0) + count);
    }
    const changed = [...held].filter(([client, sessions]) => this.#reported.get(client) !== sessions);
    const gone = [...this.#reported.keys()].filter((client) => !held.has(client)).map((client): [string, number] => [client, 0]);
    this.#reported = held;
    return [...changed, ...gone].map(([client, sessions]) => ({ kind: 'client-held', client, sessions }));
  }

  async #countsIn(pid: number): Promise<ReadonlyMap<string, number>> {
    try {
      return parseClientCounts(await runMasterCommand(this.#sockets.master, `@!${pid} show table ${FRONTEND} data.conn_cur gt 0`));
    } catch (thrown) {
      if (thrown instanceof CccamError) return new Map(); // it has ended, or does not answer: what it holds is looked at again soon
      throw thrown;
    }
  }

  /** How long a client is remembered counts from when it is gone, and not from when it came. */
  async #refresh({ structure }: ProxyModel, actual: ActualProxy, connected: ReadonlySet<string>, now: number): Promise<Command[]> {
    const { stickinessMs } = structure;
    if (stickinessMs === null || !actual.current.process.tables.has(BACKEND)) return [];
    if (now - this.#refreshedAt < stickyRefreshMs(stickinessMs)) return [];
    this.#refreshedAt = now;
    try {
      return (await this.#rememberedOf(connected)).map((entry) => ({ kind: 'remember-client', ...entry }));
    } catch (thrown) {
      if (thrown instanceof CccamError) return []; // a slow table is no sign that HAProxy is gone, and this is tried again
      throw thrown;
    }
  }

  /** A table may hold a hundred thousand clients: it is read line by line, and only those with a session are kept. */
  async #rememberedOf(connected: ReadonlySet<string>): Promise<Remembered[]> {
    const found: Remembered[] = [];
    const answer = streamCommand(this.#sockets.runtime, `show table ${BACKEND}`, new AbortController().signal);
    for await (const line of lines(answer, LINE_BYTES)) {
      const [entry] = parseRemembered(line);
      if (entry !== undefined && connected.has(entry.client)) found.push(entry);
    }
    return found;
  }
}

/** A client, and the id of the server that it comes back to. */
interface Remembered {
  readonly client: string;
  readonly id: number;
}

/** Sessions by client, from `show table` of the frontend. */
export function parseClientCounts(table: string): ReadonlyMap<string, number> {
  return new Map([...table.matchAll(/^0x\S+: key=(\S+) .*\bconn_cur=(\d+)/gm)].map(([, client = '', count]) => [client, Number(count)]));
}

/** Remembered clients, each with the id of its server. */
export function parseRemembered(table: string): Remembered[] {
  return [...table.matchAll(/^0x\S+: key=(\S+) .*\bserver_id=(\d+)/gm)].map(([, client = '', id]) => ({ client, id: Number(id) }));
}
