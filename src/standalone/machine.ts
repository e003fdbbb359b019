import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Structure } from '../haproxy/model.ts';

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
