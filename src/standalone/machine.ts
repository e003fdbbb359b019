import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Structure } from '../haproxy/model.ts';
import { CccamError } from '../runtime/errors.ts';

/** File descriptors that HAProxy needs beside two for each session. */
const SPARE_FILES = 200;

/** Open files that this process may allow its children, or Infinity. */
export async function hardFileLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/**
 * Sessions that a proxy can really hold: what the pool asks for, or what the limit of open files allows where the pool only
 * took the default.
 *
 * @param stated whether the pool's owner wrote the figure
 * @throws CccamError CCP_FILE_LIMIT when a stated figure does not fit
 */
export function fittingMaxConnections(wanted: number, stated: boolean, fileLimit: number): number {
  const fits = Math.floor((fileLimit - SPARE_FILES) / 2);
  if (wanted <= fits) return wanted;
  if (!stated && fits > 0) return fits;
  throw new CccamError('CCP_FILE_LIMIT', {
    subject: 'spec.proxy.maxConnections',
    message: `${wanted} sessions need ${2 * wanted + SPARE_FILES} open files, but the limit is ${fileLimit}`,
    remedy: `Raise the limit (ulimit -Hn, LimitNOFILE=), or ask for at most ${Math.max(fits, 0)}.`,
  });
}

/**
 * The unprivileged user that HAProxy's workers become: only root can change who it is, and only to a user that exists and that can
 * get through to the sockets in the state folder. One that cannot would lose the stick table at every reload, without a word.
 *
 * @returns the user, or null with the reason where there is one that a person should know
 */
export async function workerUser(stateFolder: string): Promise<{ user: Structure['user']; reason: string | null }> {
  if (process.getuid?.() !== 0) return { user: null, reason: null };
  const [users, groups] = await Promise.all([readFile('/etc/passwd', 'utf8'), readFile('/etc/group', 'utf8')]);
  const has = (text: string): boolean => text.split('\n').some((line) => line.startsWith('haproxy:'));
  if (!has(users) || !has(groups)) return { user: null, reason: 'there is no user haproxy: HAProxy keeps the rights of root' };
  for (let folder = stateFolder; folder !== '/'; folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0) return { user: null, reason: `others may not pass through ${folder}: HAProxy keeps the rights of root` };
  }
  return { user: { user: 'haproxy', group: 'haproxy' }, reason: null };
}
