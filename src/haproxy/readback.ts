import { CccamError } from '../runtime/errors.ts';
import type { ActualProxy, ActualServer, ActualWorker, OldWorker } from './actual.ts';
import { BACKEND } from './model.ts';
import { readDescription } from './render.ts';
import { type ControlSockets, runCommands, runMasterCommand } from './runtime-socket.ts';

const STATISTICS = `show stat ${BACKEND} 4 -1`;
/** Forced, inherited, by DNS, by host name. Not 0x04: it only says that the file had `disabled`, and stays set after `state ready`. */
const MAINT_BITS = 0x01 | 0x02 | 0x20 | 0x40;
const DRAIN_BITS = 0x08 | 0x10;
const CHECK_CONFIGURED_BIT = 0x02;
const CHECK_ENABLED_BIT = 0x04;
/** Counters of a server that move when a client has trouble with it; a refused connection that was sent elsewhere shows in the last two only. */
const TROUBLES = ['dresp', 'econ', 'eresp', 'wretr', 'wredis'] as const;
const OPERATIONAL = ['down', 'starting', 'up', 'stopping'] as const;

/** What the readers below need from one HAProxy; a test hands them recorded answers. */
export interface ReadbackOptions {
  /** Ids of servers whose remembered clients should be counted: those that are drained. Empty without stickiness. */
  readonly countRemembered: readonly number[];
}

/**
 * Reads what runs: the current worker in full, old workers for their sessions.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE, or CCP_HAPROXY_ANSWER_UNREADABLE when an answer is not what every version since 2.6 gives
 */
export async function readBack(sockets: ControlSockets, options: ReadbackOptions): Promise<ActualProxy> {
  const [processes, current] = await Promise.all([readProcesses(sockets), readCurrent(sockets, options)]);
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

async function readCurrent(sockets: ControlSockets, options: ReadbackOptions): Promise<ActualWorker> {
  const tables = options.countRemembered.map((id) => `show table ${BACKEND} data.server_id eq ${id}`);
  const [info = '', states = '', statistics = '', ...remembered] = await runCommands(sockets.runtime, [
    'show info',
    `show servers state ${BACKEND}`,
    STATISTICS,
    ...tables,
  ]);
  const counts = new Map(options.countRemembered.map((id, index) => [id, countEntries(remembered[index] ?? '')]));
  return { ...parseInfo(info), servers: parseServers(states, statistics, counts) };
}

/** Reads the few lines of `show info` that say who answered. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function parseInfo(text: string): Omit<ActualWorker, 'servers'> {
  const line = (key: string): string | undefined => new RegExp(`^${key}: (.*)$`, 'm').exec(text)?.[1];
  const pid = Number(line('Pid'));
  if (!Number.isInteger(pid) || pid <= 0) throw unreadable('show info', 'there is no Pid');
  const ours = readDescription(line('description') ?? '');
  return {
    pid,
    structureHash: ours?.structureHash ?? null,
    bind: ours?.bind ?? null,
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

/** One line of a table, to be asked by the names of its columns. Read a hundred times a second, so nothing is copied. */
interface Row {
  readonly columns: ReadonlyMap<string, number>;
  readonly values: readonly string[];
}

/** Text in a column, or undefined where the table has no such column. */
function cell(row: Row, key: string): string | undefined {
  const index = row.columns.get(key);
  return index === undefined ? undefined : (row.values[index] ?? '');
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
    checks: (checks & CHECK_CONFIGURED_BIT) === 0 ? 'none' : (checks & CHECK_ENABLED_BIT) === 0 ? 'off' : 'on',
    checkStatus: (cell(row, 'check_status') ?? '').replace(/^\* /, ''), // a star marks a check under way
    sessions: figure(row, 'scur'),
    queued: figure(row, 'qcur'),
    totalSessions: figure(row, 'stot'),
    withoutGreeting: figure(row, 'dresp'),
    troubles: TROUBLES.reduce((sum, key) => sum + figure(row, key), 0),
    remembered: remembered.get(id) ?? 0,
  };
}

async function readOldSessions(sockets: ControlSockets, pid: number): Promise<ReadonlyMap<string, number> | null> {
  try {
    return parseSessions(await runMasterCommand(sockets.master, `@!${pid} ${STATISTICS}`));
  } catch (thrown) {
    if (!(thrown instanceof CccamError)) throw thrown;
    // It may have ended between the two questions. One that is there and does not answer must not keep the current worker from being looked after.
    const { oldPids } = await readProcesses(sockets);
    return oldPids.includes(pid) ? null : new Map();
  }
}

/** Live sessions by server name, from `show stat`. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function parseSessions(statistics: string): ReadonlyMap<string, number> {
  return new Map(statisticsRows(statistics).map((row) => [cell(row, 'svname') ?? '', figure(row, 'scur')]));
}

function statisticsRows(text: string): Row[] {
  const [header = '', ...lines] = text.trim().split('\n');
  if (!header.startsWith('# pxname,svname,')) throw unreadable(STATISTICS, 'the header is missing');
  return rows(header.slice(2), ',', lines);
}

function stateRows(text: string): Row[] {
  const [version = '', header = '', ...lines] = text.trim().split('\n');
  if (version.trim() !== '1' || !header.startsWith('# be_id ')) throw unreadable('show servers state', 'the header is missing');
  return rows(header.slice(2).trim(), ' ', lines);
}

function rows(header: string, separator: string, lines: readonly string[]): Row[] {
  const columns = new Map(header.split(separator).map((key, index) => [key, index]));
  return lines.filter((line) => line !== '').map((line) => ({ columns, values: line.split(separator) }));
}

function figure(row: Row, key: string): number {
  const text = cell(row, key);
  const value = text === '' ? 0 : Number(text);
  if (text === undefined || !Number.isFinite(value)) throw unreadable('statistics', `${key} is not a number`);
  return value;
}

/** `# table: servers, …` and then one line per client. */
function countEntries(table: string): number {
  return table.split('\n').filter((line) => line.startsWith('0x')).length;
}

function unreadable(what: string, message: string): CccamError {
  return new CccamError('CCP_HAPROXY_ANSWER_UNREADABLE', {
    subject: what,
    message,
    remedy: 'Is this HAProxy 2.6 or newer? The next pass reads again.',
    retryable: true,
  });
}
