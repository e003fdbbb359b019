import { readFile, rm, stat } from 'node:fs/promises';
import type { Clock } from '../runtime/clock.ts';
import { CccamError, systemCode } from '../runtime/errors.ts';
import { readIfThere, replaceFile } from './config-file.ts';
import { readProcesses } from './readback.ts';
import type { HaproxyProcess } from './supervisor.ts';

const MADE_LIMIT_MS = 20_000;
const SIGNAL_EVERY_MS = 4_000;
const LOOK_MS = 50;

/** A HAProxy that lives, whatever was deleted. */
interface Living extends Pick<HaproxyProcess, 'sockets'> {
  readonly masterPid: number;
}

/** Which control sockets of a running HAProxy have been deleted. */
export async function deletedSockets({ sockets }: Pick<HaproxyProcess, 'sockets'>): Promise<string[]> {
  const there = await Promise.all([sockets.master, sockets.runtime].map(isThere));
  return [sockets.master, sockets.runtime].filter((_path, index) => there[index] === false);
}

/**
 * Makes control sockets again that were deleted. A reload makes the master's; but a new worker takes over the runtime socket that
 * the old one listens on, whose path is gone (seen on 2.6.12 and 3.0.11), so that is first given another path and then its own. Sessions
 * stay with their workers.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when HAProxy does not make one within twenty seconds
 */
export async function makeSocketsAgain(process: HaproxyProcess, masterPid: number, clock: Clock): Promise<void> {
  const { configFile, sockets } = process;
  const living = { masterPid, sockets };
  await reloadUntil(sockets.master, living, clock);
  if (await isThere(sockets.runtime)) return;
  const text = await readFile(configFile, 'utf8');
  const other = `${sockets.runtime.slice(0, -1)}_`; // as long as its own: longer ones may be refused
  try {
    await replaceFile(configFile, text.replaceAll(sockets.runtime, other));
    await reloadUntil(other, living, clock);
  } finally {
    await replaceFile(configFile, text); // whatever happens, the next start must read what was meant
  }
  await reloadUntil(sockets.runtime, living, clock);
  await rm(other, { force: true });
}

/** Reloads until a socket is there and a worker runs. A signal that comes in the middle of another reload may be lost, so it is sent again. */
async function reloadUntil(path: string, { masterPid, sockets }: Living, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + MADE_LIMIT_MS;
  let signalled = Number.NEGATIVE_INFINITY;
  while (!(await isThere(path)) || !(await hasWorker(sockets))) {
    if (clock.monotonic() > deadline) throw notMade(path);
    if (!(await isThere(path)) && clock.monotonic() - signalled > SIGNAL_EVERY_MS) {
      process.kill(masterPid, 'SIGUSR2');
      signalled = clock.monotonic();
    }
    await clock.sleep(LOOK_MS);
  }
}

async function hasWorker(sockets: HaproxyProcess['sockets']): Promise<boolean> {
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
