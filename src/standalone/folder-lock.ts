import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { readIfThere, replaceFile } from '../haproxy/config-file.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';

const NAME = /^[0-9a-f]{32}$/;

/**
 * Holds a folder until the process ends, by a Unix socket in the abstract namespace: the kernel lets it go when the process ends, however it
 * ends. Its name is in a file of the folder. Every user of the machine can see it in use (`/proc/net/unix`) and take it once it is not: a
 * name that no process of this user holds is replaced.
 *
 * @throws CccamError CCP_STATE_IN_USE when another process holds it; and what the file system throws
 */
export async function holdLock(folder: string): Promise<void> {
  const file = join(folder, 'lock');
  for (const name of [await nameIn(file), null]) {
    const taken = name ?? (await newName(file));
    if (await isHeldNow(taken)) {
      if ((await readFile(file, 'utf8')) === taken) return;
      throw inUse(folder, 'another cccam-operator has begun to use it just now');
    }
    const pid = await holderOf(taken);
    if (pid !== null) throw inUse(folder, `another cccam-operator uses it (pid ${pid})`);
  }
  throw inUse(folder, 'its lock is taken again and again');
}

async function nameIn(file: string): Promise<string> {
  const name = await readIfThere(file);
  if (name !== null && NAME.test(name)) return name;
  if (name !== null) return await newName(file); // cut off by a loss of power
  const draft = `${file}.${process.pid}`;
  try {
    await writeFile(draft, randomName(), { mode: 0o600 });
    await link(draft, file); // whole, and only once
  } catch (thrown) {
    if (systemCode(thrown) !== 'EEXIST') throw thrown;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(file, 'utf8');
}

async function newName(file: string): Promise<string> {
  const name = randomName();
  await replaceFile(file, name);
  return name;
}

function randomName(): string {
  return randomBytes(16).toString('hex');
}

/** Takes the name for this process. @returns false when it is taken */
async function isHeldNow(name: string): Promise<boolean> {
  const lock = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      lock.once('error', reject);
      lock.listen(`\0cccam-operator-${name}`, resolve);
    });
  } catch (thrown) {
    if (systemCode(thrown) === 'EADDRINUSE') return false;
    throw thrown;
  }
  lock.unref();
  return true;
}

/** The process of this user that holds the name; null when none does. */
async function holderOf(name: string): Promise<number | null> {
  const line = (await readFile('/proc/net/unix', 'utf8')).split('\n').find((each) => each.endsWith(` @cccam-operator-${name}`));
  const inode = line?.split(/ +/)[6];
  if (inode === undefined) return null;
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && (await holds(pid, `socket:[${inode}]`))) return pid;
  }
  return null;
}

async function holds(pid: number, socket: string): Promise<boolean> {
  try {
    if ((await stat(`/proc/${pid}`)).uid !== process.getuid?.()) return false;
    const links = (await readdir(`/proc/${pid}/fd`)).map(async (fd) => await readlink(`/proc/${pid}/fd/${fd}`).catch(unlessDenied));
    return (await Promise.all(links)).includes(socket);
  } catch (thrown) {
    if (systemCode(thrown) === undefined) throw thrown;
    // It has ended meanwhile; or it has a capability that this process has not, and may well be the holder.
    return isDenied(thrown) && (await isThisProgram(pid));
  }
}

function isDenied(thrown: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(thrown) ?? '');
}

function unlessDenied(thrown: unknown): string {
  if (isDenied(thrown)) throw thrown;
  return messageOf(thrown); // a file that was closed meanwhile
}

async function isThisProgram(pid: number): Promise<boolean> {
  const program = process.argv[1];
  if (program === undefined) return false;
  const words = (await readIfThere(`/proc/${pid}/cmdline`))?.split('\0') ?? [];
  return words.some((word) => basename(word) === basename(program)); // one of them may be relative
}

function inUse(folder: string, message: string): CccamError {
  return new CccamError('CCP_STATE_IN_USE', {
    subject: folder,
    message,
    remedy: 'Stop the other one, or choose another folder with --state-dir.',
  });
}
