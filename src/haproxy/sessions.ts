import { BACKEND } from './model.ts';
import { type ControlSockets, runMasterCommand } from './runtime-socket.ts';

/** One live session in one worker. */
export interface SessionHandle {
  readonly pid: number;
  /** HAProxy's own name for it, a pointer such as `0x55d0c8a0`. */
  readonly id: string;
}

/** Reads `show sess`: the sessions of one server, in HAProxy's order. */
export function parseSessionIds(text: string, server: string): string[] {
  const ids: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^(0x[0-9a-f]+): proto=\S+ .*? be=(\S+) srv=(\S+) /.exec(line);
    if (match?.[1] !== undefined && match[2] === BACKEND && match[3] === server) ids.push(match[1]);
  }
  return ids;
}

/**
 * Closes at most `count` sessions of a server, old workers first. Old workers refuse `shutdown sessions server`, so each session is
 * closed by its id, right after it was listed: an id is a pointer, and another session may get it once this one has ended.
 *
 * @returns how many were closed
 * @throws CccamError CCP_HAPROXY_UNREACHABLE
 */
export async function closeSessions(sockets: ControlSockets, pids: readonly number[], server: string, count: number): Promise<number> {
  let closed = 0;
  for (const pid of pids) {
    if (closed < count) closed += await closeInWorker(sockets, pid, server, count - closed);
  }
  return closed;
}

/** Closed per listing, so that no id is older than some milliseconds when it is used. */
const PER_LISTING = 20;

async function closeInWorker(sockets: ControlSockets, pid: number, server: string, count: number): Promise<number> {
  let closed = 0;
  while (closed < count) {
    const ids = parseSessionIds(await runMasterCommand(sockets.master, `@!${pid} show sess`), server);
    const batch = ids.slice(0, Math.min(PER_LISTING, count - closed));
    for (const id of batch) await runMasterCommand(sockets.master, `@!${pid} shutdown session ${id}`);
    closed += batch.length;
    if (batch.length === ids.length) break;
  }
  return closed;
}
