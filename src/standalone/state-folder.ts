import { chmod, copyFile, mkdir, realpath, rename, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { readIfThere, replaceFile } from '../haproxy/config-file.ts';
import { isSocketPath, SOCKET_PATH_WORDS } from '../haproxy/token.ts';
import type { Roster } from '../pool/roster.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { readableServers } from '../wire/saved-roster.ts';
import { holdLock } from './folder-lock.ts';

/** What time it was when the state was written. */
const savedClock = z.object({ boot: z.string().max(64), monotonic: z.number(), now: z.number() });
/** A moment by the clock of the pool, by the monotonic clock of one boot of the machine, and which boot that was. */
export type SavedClock = z.output<typeof savedClock>;

/** Of a newer version what is understood is taken: a program that was put back must not begin every drain again. */
const rosterFile = z.object({
  version: z.int().min(1),
  clock: savedClock.optional(),
  servers: z.array(z.unknown()),
});

/** Paths of everything that a pool on one box keeps on disk. */
export interface StateFolder {
  readonly path: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly pidFile: string;
  readonly rosterFile: string;
  readonly sockets: { readonly runtime: string; readonly master: string; readonly peers: string };
}

/** Where a pool's state goes by default. */
export function defaultStateFolder(pool: string): string {
  if (process.getuid?.() === 0) return `/var/lib/cccam-operator/${pool}`;
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'cccam-operator', pool);
}

/**
 * Opens a state folder and holds it until the process ends.
 *
 * @throws CccamError CCP_STATE_UNWRITABLE, or CCP_STATE_IN_USE when another process holds it
 */
export async function openStateFolder(path: string): Promise<StateFolder> {
  assertUsablePath(resolve(path));
  const real = await openFolder(path);
  assertUsablePath(real);
  return {
    path: real,
    configFile: join(real, 'haproxy.cfg'),
    logFile: join(real, 'haproxy.log'),
    pidFile: join(real, 'haproxy.pid'),
    rosterFile: join(real, 'state.json'),
    sockets: { runtime: join(real, RUNTIME_SOCKET), master: join(real, 'master.sock'), peers: join(real, 'peers.sock') },
  };
}

/** Makes the folder where it is missing, and holds it. @returns its real path */
async function openFolder(path: string): Promise<string> {
  try {
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    if (made !== undefined) await chmod(path, 0o711); // HAProxy's workers, another user, must reach their sockets in it; every file is 0600
    await assertOurs(path);
    const real = await realpath(path);
    await holdLock(real);
    return real;
  } catch (thrown) {
    if (thrown instanceof CccamError) throw thrown;
    const code = systemCode(thrown);
    throw unusable(path, `cannot be used (${code ?? messageOf(thrown)})`, HINTS[code ?? ''] ?? ELSEWHERE, thrown);
  }
}

const ELSEWHERE = 'Choose another folder with --state-dir.';
const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'This user may not write there. Run it as another user, or choose a folder of your own with --state-dir.',
  EPERM: 'This user may not change it. Run it as another user, or choose a folder of your own with --state-dir.',
  EROFS: 'That file system cannot be written. Choose another folder with --state-dir.',
  ENOTDIR: 'A part of the path is a file. Choose another folder with --state-dir.',
  EEXIST: 'There is a file of that name. Choose another folder with --state-dir.',
  ENOSPC: 'The disk is full. Make room, or choose another folder with --state-dir.',
};
const RUNTIME_SOCKET = 'runtime.sock';

/** HAProxy takes the sockets' paths without quotes, and the kernel takes some hundred characters. */
function assertUsablePath(path: string): void {
  if (isSocketPath(join(path, RUNTIME_SOCKET))) return;
  throw unusable(path, `cannot hold HAProxy's sockets: expected a path of ${SOCKET_PATH_WORDS} with the socket's name`, ELSEWHERE);
}

async function assertOurs(path: string): Promise<void> {
  const { mode, uid } = await stat(path);
  const own = process.getuid?.();
  if (uid !== own)
    throw unusable(path, `belongs to another user (${uid}, we are ${own})`, `Give it to this user (chown). Or: ${ELSEWHERE}`);
  if ((mode & 0o022) === 0) return;
  throw unusable(path, 'other users may write in it, and so decide what HAProxy runs', `Forbid it (chmod go-w). Or: ${ELSEWHERE}`);
}

function unusable(path: string, message: string, remedy: string, cause?: unknown): CccamError {
  return new CccamError('CCP_STATE_UNWRITABLE', { subject: printable(path), message, remedy, cause });
}

/** What an earlier run has left. */
export interface SavedRoster {
  readonly roster: Roster;
  readonly clock: SavedClock | null;
  /** Where a file was put that could not be read, or null. */
  readonly setAside: string | null;
}

/**
 * The saved servers. What of the file cannot be read is left out, and the file is kept aside, so that the pool starts anyway.
 *
 * @returns the roster, what time it was then, and where an unreadable file was put
 * @throws CccamError CCP_STATE_UNREADABLE when the file may not be opened at all
 */
export async function loadRoster(folder: StateFolder): Promise<SavedRoster> {
  const text = await readIfThere(folder.rosterFile);
  if (text === null) return { roster: [], clock: null, setAside: null };
  const aside = `${folder.rosterFile}.unreadable`; // what was wrong with it can be seen there
  try {
    const { clock = null, servers } = rosterFile.parse(JSON.parse(text));
    const readable = readableServers(servers);
    if (readable.dropped > 0) await copyFile(folder.rosterFile, aside).catch(ignoreFull);
    return { roster: readable.servers, clock, setAside: readable.dropped > 0 ? aside : null };
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError || thrown instanceof z.ZodError)) throw thrown;
    await rename(folder.rosterFile, aside).catch(ignoreFull);
    return { roster: [], clock: null, setAside: aside };
  }
}

/** A copy that cannot be kept, on a full disk, must not keep the pool from starting. */
function ignoreFull(thrown: unknown): void {
  if (systemCode(thrown) === undefined) throw thrown;
}

/** Keeps the servers for the next start. @throws CccamError CCP_STATE_UNWRITABLE */
export async function saveRoster(folder: StateFolder, roster: Roster, clock: SavedClock): Promise<void> {
  await replaceFile(folder.rosterFile, `${JSON.stringify({ version: 1, clock, servers: roster })}\n`);
}
