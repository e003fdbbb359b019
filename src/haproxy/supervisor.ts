import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../runtime/clock.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { assertPortFree } from './bind-check.ts';
import type { Structure } from './model.ts';
import { countSessions, parseInfo, readProcesses } from './readback.ts';
import { type ControlSockets, runCommands } from './runtime-socket.ts';

const run = promisify(execFile);
const OLDEST: readonly [number, number] = [2, 6];
const START_LIMIT_MS = 10_000;
const START_POLL_MS = 10;
const KILL_AFTER_MS = 2_000;

/** How HAProxy is started, and where it can be reached. */
export interface HaproxyProcess {
  readonly binary: string;
  readonly configFile: string;
  readonly logFile: string;
  /** Where HAProxy writes the pid of its master. */
  readonly pidFile: string;
  readonly sockets: ControlSockets;
}

/**
 * The version of a haproxy binary, such as `3.0.11`.
 *
 * @throws CccamError CCP_HAPROXY_MISSING when there is none, or one older than 2.6, which cannot add servers at run time
 */
export async function haproxyVersion(binary: string): Promise<string> {
  const output = await run(binary, ['-v'], { timeout: 5_000 }).catch((thrown: unknown) => {
    throw missing(binary, systemCode(thrown) === 'ENOENT' ? 'was not found' : `does not run (${messageOf(thrown)})`);
  });
  const version = /version (\d+)\.(\d+)[.-]?(\S*)/.exec(output.stdout);
  if (version === null) throw missing(binary, 'does not say its version');
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) throw missing(binary, `is version ${major}.${minor}`);
  return `${major}.${minor}.${printable(version[3] ?? '', 40)}`;
}

/** How long a HAProxy that is there but does not answer is waited for: it may be in the middle of a reload. */
const ANSWER_LIMIT_MS = 5_000;
const ANSWER_POLL_MS = 100;

/**
 * Looks for a HAProxy of ours that outlived the program that started it.
 *
 * @returns the pid of its master; null when there is none, or only one that is stopping: it takes no new sessions, and exits by itself
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when one is there and does not answer: a second one beside it would share its port unseen
 */
export async function findRunning(process: HaproxyProcess, clock: Clock, signal: AbortSignal): Promise<number | null> {
  const deadline = clock.monotonic() + ANSWER_LIMIT_MS;
  for (;;) {
    try {
      const { masterPid } = await readProcesses(process.sockets);
      const [info = ''] = await runCommands(process.sockets.runtime, ['show info']);
      return parseInfo(info).stopping ? null : masterPid;
    } catch (thrown) {
      if (isAbsent(thrown)) return null;
      if (signal.aborted || clock.monotonic() > deadline) throw thrown;
    }
    await clock.sleep(ANSWER_POLL_MS, signal);
  }
}

const REVIVE_LIMIT_MS = 20_000;
/** A signal that comes in the middle of something else may be lost. */
const REVIVE_EVERY_MS = 4_000;

/**
 * Takes back that a HAProxy was told to end: a reload gives its master a worker that takes new sessions, beside those that have some left
 * (seen on 2.6.12 and 3.0.11). A second HAProxy beside it would not know of them.
 *
 * @returns whether it goes on; false when its last session has ended meanwhile, and it with it
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when there is no such worker within twenty seconds
 */
export async function reviveHaproxy(process: HaproxyProcess, masterPid: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const deadline = clock.monotonic() + REVIVE_LIMIT_MS;
  let signalled = Number.NEGATIVE_INFINITY;
  while (isAlive(masterPid)) {
    if ((await findRunning(process, clock, signal).catch(() => null)) === masterPid) return true; // refused while the master becomes itself again
    if (clock.monotonic() > deadline || signal.aborted) throw notRevived(process);
    if (clock.monotonic() - signalled > REVIVE_EVERY_MS) {
      send(masterPid, 'SIGUSR2');
      signalled = clock.monotonic();
    }
    await clock.sleep(ANSWER_POLL_MS, signal);
  }
  return false;
}

function notRevived({ logFile, pidFile }: HaproxyProcess): CccamError {
  return new CccamError('CCP_HAPROXY_UNREACHABLE', {
    subject: pidFile,
    message: 'a HAProxy that was told to end still has sessions, and takes no new ones after a reload',
    remedy: `See ${logFile}. Check that no other program uses the port, or wait until its sessions have ended.`,
    retryable: true,
  });
}

/** Whether nothing listens on a socket, or no worker does any more. */
function isAbsent(thrown: unknown): boolean {
  if (!(thrown instanceof CccamError) || thrown.code !== 'CCP_HAPROXY_UNREACHABLE') return false;
  return ['ENOENT', 'ECONNREFUSED'].includes(systemCode(thrown.cause) ?? '');
}

/**
 * Starts HAProxy as a master with workers, in a process group of its own and with its output in a file, so that it outlives us.
 *
 * @param bind where clients will connect: it must be free, for HAProxy would share it with any other of its kind
 * @returns the pid of the master, once it answers
 * @throws CccamError CCP_PORT_UNUSABLE; CCP_HAPROXY_NOT_STARTED when it ends or does not answer within ten seconds
 */
export async function startHaproxy(process: HaproxyProcess, bind: Structure['bind'], clock: Clock, signal: AbortSignal): Promise<number> {
  await assertPortFree(bind);
  const log = await open(process.logFile, 'a', 0o600); // appended to, so that it can be cut while HAProxy has it open
  try {
    const child = spawn(
      process.binary,
      ['-W', '-S', `${process.sockets.master},mode,600`, '-p', process.pidFile, '-f', process.configFile],
      {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      },
    );
    child.unref();
    return await waitUntilUp(process, child, clock, signal);
  } finally {
    await log.close();
  }
}

async function waitUntilUp(process: HaproxyProcess, child: ChildProcess, clock: Clock, signal: AbortSignal): Promise<number> {
  const ended: { how?: string } = {};
  child.once('exit', (code, name) => {
    ended.how = `it ended with ${name ?? `code ${code}`}`;
  });
  child.once('error', (thrown) => {
    ended.how = messageOf(thrown);
  });
  const deadline = clock.monotonic() + START_LIMIT_MS;
  while (ended.how === undefined && !signal.aborted && clock.monotonic() < deadline) {
    const running = await readProcesses(process.sockets).catch(() => null); // refused until the master listens; the deadline ends it
    if (running !== null && running.currentPid !== null) return running.masterPid;
    await clock.sleep(START_POLL_MS, signal);
  }
  if (ended.how === undefined) child.kill('SIGKILL');
  throw new CccamError('CCP_HAPROXY_NOT_STARTED', {
    subject: process.binary,
    message: ended.how ?? 'it does not answer',
    remedy: `See ${process.logFile}. Check that no other program uses the port.`,
    retryable: true,
  });
}

/** Whether a process lives. A pid that another program has taken since counts too, so ask soon. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCode(thrown) === 'EPERM';
  }
}

/** How a HAProxy is ended. */
export interface StopOptions {
  readonly sockets: Pick<ControlSockets, 'master'>;
  /** How long sessions may live on, in milliseconds. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/**
 * Ends HAProxy softly: it stops listening at once and lives until its last session ends, the limit has passed or `hurry` is
 * aborted. What is left then is ended at once.
 *
 * @returns sessions that were cut off, or null where that could not be asked
 */
export async function stopHaproxy(masterPid: number, { clock, limitMs, sockets }: StopOptions, hurry: AbortSignal): Promise<number | null> {
  send(masterPid, 'SIGUSR1');
  const deadline = clock.monotonic() + limitMs;
  while (isAlive(masterPid) && !hurry.aborted && clock.monotonic() < deadline) await clock.sleep(50, hurry);
  if (!isAlive(masterPid)) return 0;
  const left = await countSessions(sockets).catch(() => null); // it is ended all the same; only the figure is missing then
  send(masterPid, 'SIGTERM');
  const kill = clock.monotonic() + KILL_AFTER_MS;
  while (isAlive(masterPid) && clock.monotonic() < kill) await clock.sleep(20);
  if (isAlive(masterPid)) send(masterPid, 'SIGKILL');
  return left;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (systemCode(thrown) !== 'ESRCH') throw thrown;
  }
}

function missing(binary: string, message: string): CccamError {
  return new CccamError('CCP_HAPROXY_MISSING', {
    subject: binary,
    message: `${message}; expected HAProxy ${OLDEST.join('.')} or newer`,
    remedy: 'Install the package haproxy, or name the binary with --haproxy or CCCAM_HAPROXY.',
  });
}
