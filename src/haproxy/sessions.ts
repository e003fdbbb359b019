import { CccamError } from '../runtime/errors.ts';
import { lines } from '../runtime/lines.ts';
import type { SessionTotals } from './health/activity.ts';
import { SessionTotalsReader } from './health/session-totals.ts';
import { BACKEND } from './model.ts';
import { type ControlSockets, runMasterCommand, streamCommand } from './runtime-socket.ts';

/** Reads `show sess`: the sessions of one server, in HAProxy's order. */
export function parseSessionIds(text: string, server: string): string[] {
  const ids: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^(0x[0-9a-f]+): proto=\S+ .*? be=(\S+) srv=(\S+) /.exec(line);
    if (match?.[1] !== undefined && match[2] === BACKEND && match[3] === server) ids.push(match[1]);
  }
  return ids;
}

/** Sessions to be closed. */
export interface Closing {
  readonly server: string;
  /** How many, at most. */
  readonly count: number;
  /**
   * Sessions that were told to end already, as `pid id`; those that are closed now are added. One that waits for its greeting is listed
   * until that time is over.
   */
  readonly ending: Set<string>;
  /** Whether the time for it is over: the rest comes in the next round, so that no change waits behind thousands of sessions. */
  readonly isOver: () => boolean;
}

/**
 * Closes sessions of a server, worker by worker. Old workers refuse `shutdown sessions server`, so each session is closed by its id,
 * right after it was listed: an id is a pointer, and another session may get it once this one has ended.
 *
 * @returns how many were told to end
 * @throws CccamError CCP_HAPROXY_UNREACHABLE
 */
export async function closeSessions(sockets: ControlSockets, pids: readonly number[], closing: Closing): Promise<number> {
  let closed = 0;
  for (const pid of pids) {
    // At least one batch of each worker: those that come last must have their turn, too.
    for (let batch = nextBatch(closing, closed); batch > 0; batch = closing.isOver() ? 0 : nextBatch(closing, closed)) {
      const ended = await closeSome(sockets, pid, { ...closing, count: batch });
      closed += ended;
      if (ended < batch) break;
    }
  }
  return closed;
}

/** Closed per listing, so that no id is older than some milliseconds when it is used. */
const PER_LISTING = 20;

function nextBatch({ count }: Closing, closed: number): number {
  return Math.min(PER_LISTING, count - closed);
}

async function closeSome(sockets: ControlSockets, pid: number, { count, ending, server }: Closing): Promise<number> {
  const listed = parseSessionIds(await runMasterCommand(sockets.master, `@!${pid} show sess`), server);
  const ids = listed.filter((id) => !ending.has(`${pid} ${id}`)).slice(0, count);
  for (const id of ids) {
    ending.add(`${pid} ${id}`);
    await runMasterCommand(sockets.master, `@!${pid} shutdown session ${id}`);
  }
  return ids.length;
}

/** Longest line of `show sess all` by far. */
const LINE_BYTES = 4_096;

/** What the sessions of a proxy say. */
export interface Traffic {
  /** Bytes that each session has had from its server, by server. */
  readonly servers: ReadonlyMap<string, SessionTotals>;
  /** Sessions by the address of their client, as tables print it. */
  readonly clients: ReadonlyMap<string, number>;
}

/**
 * Reads the traffic of each session, over these workers. An old worker that ends meanwhile, or does not answer, has none: nothing may be
 * concluded from half of what it says.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE where the current worker does not answer
 */
export async function readTraffic(sockets: ControlSockets, current: number, old: readonly number[], signal: AbortSignal): Promise<Traffic> {
  const clients = new Map<string, number>();
  const servers = new Map<string, Map<string, number>>();
  const add = (reader: SessionTotalsReader): void => {
    for (const [client, count] of reader.clients) clients.set(client, (clients.get(client) ?? 0) + count);
    for (const [server, sessions] of reader.servers) servers.set(server, new Map([...(servers.get(server) ?? []), ...sessions]));
  };
  add(await readWorker(current, streamCommand(sockets.runtime, SHOW_SESSIONS, signal)));
  for (const pid of old) {
    try {
      add(await readWorker(pid, streamCommand(sockets.master, `@!${pid} ${SHOW_SESSIONS}`, signal)));
    } catch (thrown) {
      if (!(thrown instanceof CccamError)) throw thrown;
    }
  }
  return { servers, clients };
}

const SHOW_SESSIONS = 'show sess all';

async function readWorker(pid: number, answer: AsyncIterable<Uint8Array>): Promise<SessionTotalsReader> {
  const reader = new SessionTotalsReader(pid);
  for await (const line of lines(answer, LINE_BYTES)) {
    reader.read(line);
    if (reader.isFull) break;
  }
  return reader;
}
