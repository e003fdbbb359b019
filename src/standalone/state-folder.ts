import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { readIfThere, replaceFile } from '../haproxy/config-file.ts';
import type { Roster } from '../pool/roster.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';

const rosterFile = z.strictObject({
  version: z.literal(1),
  servers: z.array(
    z.strictObject({
      name: z.string(),
      id: z.int().min(1),
      backend: z.string(),
      address: z.string(),
      port: z.int(),
      weight: z.int(),
      maxConnections: z.int(),
      role: z.enum(['Active', 'Backup']),
      drain: z.union([
        z.strictObject({ kind: z.literal('active') }),
        z.strictObject({ kind: z.literal('draining'), reason: z.enum(['requested', 'removed']), since: z.number() }),
      ]),
      deadlineMs: z.number(),
    }),
  ),
});

/** Paths of everything that a pool on one box keeps on disk. */
export interface StateFolder {
  readonly path: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly rosterFile: string;
  readonly sockets: { readonly runtime: string; readonly master: string; readonly peers: string };
}

/** Where a pool's state goes when nobody says otherwise. */
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
  try {
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    if (made !== undefined) await chmod(path, 0o711); // HAProxy's workers, who are somebody else, must reach their sockets in it; every file is 0600
    const { mode, uid } = await stat(path);
    if (uid !== process.getuid?.() || (mode & 0o022) !== 0) throw new Error('others may write in it, and so decide what HAProxy runs');
  } catch (thrown) {
    throw new CccamError('CCP_STATE_UNWRITABLE', {
      subject: path,
      message: `cannot be used (${systemCode(thrown) ?? messageOf(thrown)})`,
      remedy: 'Name another folder with --state-dir.',
      cause: thrown,
    });
  }
  const real = await realpath(path);
  await holdLock(real);
  return {
    path: real,
    configFile: join(real, 'haproxy.cfg'),
    logFile: join(real, 'haproxy.log'),
    rosterFile: join(real, 'servers.json'),
    sockets: { runtime: join(real, 'runtime.sock'), master: join(real, 'master.sock'), peers: join(real, 'peers.sock') },
  };
}

/** A Unix socket in the abstract namespace is a lock that the kernel lets go when the process ends, however it ends. */
async function holdLock(path: string): Promise<void> {
  const name = `\0cccam-operator-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
  const lock = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    lock.once('error', reject);
    lock.listen(name, resolve);
  }).catch((thrown: unknown) => {
    throw new CccamError('CCP_STATE_IN_USE', {
      subject: path,
      message: systemCode(thrown) === 'EADDRINUSE' ? 'another cccam-operator works with it' : messageOf(thrown),
      remedy: 'End the other one, or name another folder with --state-dir.',
      cause: thrown,
    });
  });
  lock.unref();
}

/**
 * The servers of before. A file that cannot be read is set aside, so that the pool starts all the same.
 *
 * @returns the roster, and where an unreadable file was put
 * @throws CccamError CCP_STATE_UNREADABLE when the file may not be opened at all
 */
export async function loadRoster(folder: StateFolder): Promise<{ roster: Roster; setAside: string | null }> {
  const text = await readIfThere(folder.rosterFile);
  if (text === null) return { roster: [], setAside: null };
  try {
    return { roster: rosterFile.parse(JSON.parse(text)).servers, setAside: null };
  } catch {
    const aside = `${folder.rosterFile}.unreadable`; // what was wrong with it can be seen there
    await rename(folder.rosterFile, aside);
    return { roster: [], setAside: aside };
  }
}

/** Keeps the servers for the next start. @throws CccamError CCP_STATE_UNWRITABLE */
export async function saveRoster(folder: StateFolder, roster: Roster): Promise<void> {
  await replaceFile(folder.rosterFile, `${JSON.stringify({ version: 1, servers: roster })}\n`);
}
