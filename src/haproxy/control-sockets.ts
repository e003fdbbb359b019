import { readFile, rm, stat } from 'node:fs/promises';
import type { Clock } from '../runtime/clock.ts';
import { CccamError, systemCode } from '../runtime/errors.ts';
import { readIfThere, replaceFile } from './config-file.ts';
import { readProcesses } from './readback.ts';
import type { ControlSockets } from './runtime-socket.ts';
import { type HaproxyProcess, isAlive } from './supervisor.ts';

const MADE_LIMIT_MS = 20_000;
const SIGNAL_EVERY_MS = 4_000;
const LOOK_MS = 50;

/** A HAProxy that lives, whatever was deleted. */
export interface LivingHaproxy {
  readonly masterPid: number;
  readonly configFile: string;
  readonly sockets: ControlSockets & { readonly peers: string };
}

/** Which sockets of a running HAProxy have been deleted. */
export async function deletedSockets({ sockets }: Pick<LivingHaproxy, 'sockets'>): Promise<string[]> {
  return await missing([sockets.master, sockets.runtime, sockets.peers]);
}

/**
 * Makes sockets again that were deleted. A reload makes the master's; but a new worker takes over the sockets that the old one listens
 * on, whose paths are gone (seen on 2.6.12 and 3.0.11), so each of these is first given another path and then its own. Sessions stay with
 * their workers.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when HAProxy does not make one within twenty seconds, or the signal is aborted
 */
export async function makeSocketsAgain(living: LivingHaproxy, clock: Clock, signal: AbortSignal): Promise<void> {
  const { configFile, sockets } = living;
  const making = { living, clock, signal };
  await reloadUntil([sockets.master], making);
  const gone = await missing([sockets.runtime, sockets.peers]);
  if (gone.length === 0) return;
  const text = await readFile(configFile, 'utf8');
  const elsewhere = gone.map((path) => `${path.slice(0, -1)}_`); // as long as its own: longer ones may be refused
  try {
    const moved = gone.reduce((moving, path, index) => moving.replaceAll(path, elsewhere[index] ?? path), text);
    await replaceFile(configFile, moved);
    await reloadUntil(elsewhere, making);
  } finally {
    await replaceFile(configFile, text); // whatever happens, the next start must read what was meant
  }
  await reloadUntil(gone, making);
  for (const path of elsewhere) await rm(path, { force: true });
}

interface Making {
  readonly living: LivingHaproxy;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Reloads until sockets are there and a worker runs. A signal that comes in the middle of another reload may be lost, so it is sent again. */
async function reloadUntil(paths: readonly string[], { clock, living, signal }: Making): Promise<void> {
  const deadline = clock.monotonic() + MADE_LIMIT_MS;
  let signalled = Number.NEGATIVE_INFINITY;
  for (let gone = await missing(paths); gone.length > 0 || !(await hasWorker(living.sockets)); gone = await missing(paths)) {
    if (clock.monotonic() > deadline || signal.aborted || !isAlive(living.masterPid)) throw notMade(gone[0] ?? living.sockets.master);
    if (gone.length > 0 && clock.monotonic() - signalled > SIGNAL_EVERY_MS) {
      process.kill(living.masterPid, 'SIGUSR2');
      signalled = clock.monotonic();
    }
    await clock.sleep(LOOK_MS, signal);
  }
}

async function missing(paths: readonly string[]): Promise<string[]> {
  const there = await Promise.all(paths.map(isThere));
  return paths.filter((_path, index) => there[index] === false);
}

async function hasWorker(sockets: ControlSockets): Promise<boolean> {
  const processes = await readProcesses(sockets).catch(() => null); // refused while the master becomes itself again; the deadline ends it
  return processes !== null && processes.currentPid !== null;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

function notMade(path: string): CccamError {
  return new CccamError('CCP_HAPROXY_UNREACHABLE', {
    subject: path,
    message: 'it was deleted, and HAProxy did not make it again',
    remedy: 'Sessions continue. See the log of HAProxy, and restart it when few clients are there.',
    retryable: true,
  });
}

/**
 * The master of a HAProxy of ours that lives without its sockets.
 *
 * @returns its pid, or null where none lives that was started with this configuration
 */
export async function findMaster({ configFile, pidFile }: Pick<HaproxyProcess, 'configFile' | 'pidFile'>): Promise<number | null> {
  const pid = Number((await readIfThere(pidFile))?.trim());
  if (!Number.isInteger(pid) || pid <= 1) return null;
  const command = await readIfThere(`/proc/${pid}/cmdline`);
  return command?.split('\0').includes(configFile) === true ? pid : null;
}
