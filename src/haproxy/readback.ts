import { CccamError } from '../runtime/errors.ts';
import type { ActualProxy, ActualServer, ActualWorker, OldWorker } from './actual.ts';
import { BACKEND, COUNTS, FRONTEND } from './model.ts';
import { parseProcess } from './process-readback.ts';
import { readDescription } from './render.ts';
import { type ControlSockets, runCommands, runMasterCommand } from './runtime-socket.ts';
import { cell, figure, infoLine, type Row, stateRows, statisticsRows, unreadable } from './table-text.ts';

const STATISTICS = `show stat ${BACKEND} 4 -1`;
const DOOR = `show stat ${FRONTEND} 1 -1`;
/** Forced, inherited, by DNS, by host name. Not 0x04: it only says that the file had `disabled`, and stays set after `state ready`. */
const MAINT_BITS = 0x01 | 0x02 | 0x20 | 0x40;
const DRAIN_BITS = 0x08 | 0x10;
const CHECK_CONFIGURED_BIT = 0x02;
const CHECK_ENABLED_BIT = 0x04;
/** Counters of a server that move when a client fails on it; a refused connection that was sent elsewhere shows in the last two only. */
const CLIENT_ERRORS = ['dresp', 'econ', 'eresp', 'wretr', 'wredis'] as const;
const OPERATIONAL = ['down', 'starting', 'up', 'stopping'] as const;

/**
 * Reads what runs: the current worker in full, old workers for their sessions.
 *
 * @param remembered clients in the stick table by server id, as far as they were counted
 * @throws CccamError CCP_HAPROXY_UNREACHABLE, or CCP_HAPROXY_ANSWER_UNREADABLE when an answer is not what every version since 2.6 gives
 */
export async function readBack(sockets: ControlSockets, remembered: ReadonlyMap<number, number>): Promise<ActualProxy> {
  const [processes, current] = await Promise.all([readProcesses(sockets), readCurrent(sockets, remembered)]);
  const old: OldWorker[] = [];
  for (const pid of processes.oldPids) old.push({ pid, sessions: await readOldSessions(sockets, pid) });
  return { masterPid: processes.masterPid, current, old };
}

/** The processes of one HAProxy, from the master's `show proc`. */
export interface Processes {
  readonly masterPid: number;
  readonly reloads: number;
  readonly failedReloads: number;
  readonly currentPid: number | null;
  readonly oldPids: readonly number[];
}

/** Asks the master who runs. @throws CccamError as `readBack` does */
export async function readProcesses(sockets: ControlSockets): Promise<Processes> {
  return parseProcesses(await runMasterCommand(sockets.master, 'show proc'));
}

/** Reads the answer of `show proc`. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function parseProcesses(text: string): Processes {
  const master = /^(\d+)\s+master\s+(\d+)(?: \[failed: (\d+)\])?/m.exec(text);
  if (master === null) throw unreadable('show proc', 'there is no line of the master');
  const [workers = '', old = ''] = text.split('# old workers');
  const pids = (part: string): number[] => [...part.matchAll(/^(\d+)\s+worker\s/gm)].map((match) => Number(match[1]));
  return {
    masterPid: Number(master[1]),
    reloads: Number(master[2]),
    failedReloads: Number(master[3] ?? 0),
    currentPid: pids(workers)[0] ?? null,
    oldPids: pids(old),
  };
}

async function readCurrent(sockets: ControlSockets, remembered: ReadonlyMap<number, number>): Promise<ActualWorker> {
  const [info = '', states = '', statistics = '', frontend = '', all = '', counters = ''] = await runCommands(sockets.runtime, [
    'show info',
    `show servers state ${BACKEND}`,
    STATISTICS,
    DOOR,
    'show table',
    `show table ${COUNTS}`,
  ]);
  const process = parseProcess(info, frontend, all, counters);
  return { ...parseInfo(info), servers: parseServers(states, statistics, remembered), process };
}

/** Reads the few lines of `show info` that say who answered. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function parseInfo(text: string): Omit<ActualWorker, 'servers' | 'process'> {
  const line = (key: string): string | undefined => infoLine(text, key);
  const pid = Number(line('Pid'));
  if (!Number.isInteger(pid) || pid <= 0) throw unreadable('show info', 'there is no Pid');
  const ours = readDescription(line('description') ?? '');
  return {
    pid,
    structureHash: ours?.structureHash ?? null,
    binds: ours?.binds ?? [],
    stopping: line('Stopping') === '1',
    uptimeSeconds: Number(line('Uptime_sec') ?? 0),
  };
}

/**
 * Joins `show servers state` (what was asked of a server) with `show stat` (how it does).
 *
 * @param remembered clients in the stick table by server id
 * @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE
 */
export function parseServers(states: string, statistics: string, remembered: ReadonlyMap<number, number>): ActualServer[] {
  const rows = new Map(statisticsRows(statistics).map((row) => [cell(row, 'svname'), row]));
  return stateRows(states).map((state) => {
    const name = cell(state, 'srv_name') ?? '';
    const row = rows.get(name);
    if (row === undefined) throw unreadable(STATISTICS, 'a server is missing that `show servers state` lists'); // added in between; the next pass sees both
    return serverOf(name, state, row, remembered);
  });
}

function serverOf(name: string, state: Row, row: Row, remembered: ReadonlyMap<number, number>): ActualServer {
  const id = figure(state, 'srv_id');
  const admin = figure(state, 'srv_admin_state');
  const checks = figure(state, 'srv_check_state');
  return {
    id,
    name,
    address: cell(state, 'srv_addr') ?? '',
    port: figure(state, 'srv_port'),
    weight: figure(state, 'srv_uweight'),
    maxConnections: figure(row, 'slim'),
    backup: cell(row, 'bck') === '1',
    admin: (admin & MAINT_BITS) !== 0 ? 'maint' : (admin & DRAIN_BITS) !== 0 ? 'drain' : 'ready',
    operational: OPERATIONAL[figure(state, 'srv_op_state')] ?? 'down',
    checksOwnAddress:
      isOwn(cell(state, 'srv_check_addr'), cell(state, 'srv_addr')) && isOwn(cell(state, 'srv_check_port'), cell(state, 'srv_port')),
    checks: (checks & CHECK_CONFIGURED_BIT) === 0 ? 'none' : (checks & CHECK_ENABLED_BIT) === 0 ? 'off' : 'on',
    checkStatus: (cell(row, 'check_status') ?? '').replace(/^\* /, ''), // a star marks a check under way
    sessions: figure(row, 'scur'),
    queued: figure(row, 'qcur'),
    totalSessions: figure(row, 'stot'),
    withoutGreeting: figure(row, 'dresp'),
    clientErrors: CLIENT_ERRORS.reduce((sum, key) => sum + figure(row, key), 0),
    remembered: remembered.get(id) ?? 0,
  };
}

/** Empty unless it was set by hand. */
function isOwn(set: string | undefined, own: string | undefined): boolean {
  return set === undefined || set === '-' || set === '0' || set === own;
}

async function readOldSessions(sockets: ControlSockets, pid: number): Promise<ReadonlyMap<string, number> | null> {
  try {
    return parseSessions(await runMasterCommand(sockets.master, `@!${pid} ${STATISTICS}`));
  } catch (thrown) {
    if (!(thrown instanceof CccamError)) throw thrown;
    // It may have ended between the two questions. One that is there and does not answer must not keep the current worker from being managed.
    const { oldPids } = await readProcesses(sockets);
    return oldPids.includes(pid) ? null : new Map();
  }
}

/**
 * Live sessions over every worker, of a HAProxy that ends, too: its own socket is closed then, and the master's is not.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE, or CCP_HAPROXY_ANSWER_UNREADABLE
 */
export async function countSessions(sockets: Pick<ControlSockets, 'master'>): Promise<number> {
  const { currentPid, oldPids } = parseProcesses(await runMasterCommand(sockets.master, 'show proc'));
  let sum = 0;
  for (const pid of [currentPid, ...oldPids]) {
    if (pid === null) continue;
    const sessions = parseSessions(await runMasterCommand(sockets.master, `@!${pid} ${STATISTICS}`));
    sum += [...sessions.values()].reduce((total, count) => total + count, 0);
  }
  return sum;
}

/** Live sessions by server name, from `show stat`. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function parseSessions(statistics: string): ReadonlyMap<string, number> {
  return new Map(statisticsRows(statistics).map((row) => [cell(row, 'svname') ?? '', figure(row, 'scur')]));
}
