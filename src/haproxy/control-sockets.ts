import { readFile, rm, stat } from 'node:fs/promises';
import type { Clock } from '../runtime/clock.ts';
import { CccamError, systemCode } from '../runtime/errors.ts';
import { readIfThere, replaceFile } from './config-file.ts';
import type { HaproxyProcess } from './supervisor.ts';

const MADE_LIMIT_MS = 10_000;
const LOOK_MS = 50;

/** Which control sockets of a running HAProxy have been deleted. */
export async function deletedSockets({ sockets }: Pick<HaproxyProcess, 'sockets'>): Promise<string[]> {
  const there = await Promise.all([sockets.master, sockets.runtime].map(isThere));
  return [sockets.master, sockets.runtime].filter((_path, index) => there[index] === false);
}

/**
 * Makes control sockets again that somebody has deleted. A reload makes the master's; but a new worker takes over the runtime socket that the
 * old one listens on, whose path is gone (seen on 2.6.12 and 3.0.11), so there it is first given another path and then its own. Sessions
 * stay with their workers.
 *
 * @throws CccamError CCP_HAPROXY_UNREACHABLE when HAProxy does not make one within ten seconds
 */
export async function makeSocketsAgain(process: HaproxyProcess, masterPid: number, clock: Clock): Promise<void> {
  const { configFile, sockets } = process;
  await reloadUntil(sockets.master, masterPid, clock);
  if (await isThere(sockets.runtime)) return;
  const text = await readFile(configFile, 'utf8');
  const other = `${sockets.runtime}.new`;
  try {
    await replaceFile(configFile, text.replaceAll(sockets.runtime, other));
    await reloadUntil(other, masterPid, clock);
  } finally {
    await replaceFile(configFile, text); // whatever happens, the next start must read what was meant
  }
  await reloadUntil(sockets.runtime, masterPid, clock);
  await rm(other, { force: true });
}

async function reloadUntil(path: string, masterPid: number, clock: Clock): Promise<void> {
  process.kill(masterPid, 'SIGUSR2');
  const deadline = clock.monotonic() + MADE_LIMIT_MS;
  while (!(await isThere(path))) {
    if (clock.monotonic() > deadline) throw notMade(path);
    await clock.sleep(LOOK_MS);
  }
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
