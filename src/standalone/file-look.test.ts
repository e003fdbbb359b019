import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { systemClock } from '../runtime/clock.ts';
import { type FileLook, FileLooker } from './file-look.ts';

describe('FileLooker', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp('/tmp/ccp-');
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  it.each([
    ['a pipe', async (path: string) => void (await promisify(execFile)('mkfifo', [path])), 'not a regular file', 'regular file'],
    ['a folder', async (path: string) => await mkdir(path).then(() => undefined), 'a folder', 'Name the file in it'],
    ['a device', async (path: string) => await symlink('/dev/zero', path), 'not a regular file', 'regular file'],
    ['a link to itself', async (path: string) => await symlink(path, path), 'ELOOP', 'links lead in a circle'],
    ['nothing', async () => undefined, 'ENOENT', 'no such file'],
    ['a path through a file', async (path: string) => await writeFile(join(path, '..', 'x'), ''), 'ENOENT', 'no such file'],
  ])('says what is wrong with %s, at once', async (_what, make, message, remedy) => {
    const path = join(folder, 'pool.yaml');
    await make(path);
    await expect(new FileLooker(path, systemClock).look()).rejects.toMatchObject({
      code: 'CCP_POOL_FILE_UNREADABLE',
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('tells another text and another file apart', async () => {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, 'one');
    const looker = new FileLooker(path, systemClock);
    const one = await looker.look();
    await writeFile(path, 'other');
    const other = await looker.look();
    expect([one.text, other.text, one.inode === other.inode, one.mark === other.mark]).toEqual(['one', 'other', true, false]);
    await chmod(path, 0o600);
    expect((await looker.look()).renamed).toBe(true);
  });

  it('gives up a file system that does not answer, asks it only once meanwhile, and goes on when it does', async () => {
    const clock = new FakeClock();
    const asked: ((look: FileLook) => void)[] = [];
    const looker = new FileLooker('/net/pool.yaml', clock, async () => await new Promise<FileLook>((resolve) => asked.push(resolve)));
    const first = expect(looker.look()).rejects.toMatchObject({ message: expect.stringContaining('has not answered for 10 s') });
    await clock.advance(10_000);
    await first;
    const second = looker.look();
    await settle();
    expect(asked).toHaveLength(1);
    asked[0]?.({ text: 'late', mark: '', inode: 1n, renamed: false, ageMs: 0 });
    expect((await second).text).toBe('late');
  });

  it('does not keep a process waiting that is to end', async () => {
    const end = new AbortController();
    const looker = new FileLooker('/net/pool.yaml', new FakeClock(), async () => await new Promise<FileLook>(() => undefined));
    const look = expect(looker.look(end.signal)).rejects.toMatchObject({ code: 'CCP_POOL_FILE_UNREADABLE' });
    end.abort();
    await look;
  });
});
