import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { aBackend, aPool } from '../../test/fakes/pools.ts';
import type { Roster } from '../pool/roster.ts';
import { nextRoster } from '../pool/roster.ts';
import { LatestWriter } from './latest-writer.ts';
import { loadRoster, openStateFolder, type StateFolder, saveRoster } from './state-folder.ts';

const NOW = { boot: 'b', monotonic: 1, now: 1 };

describe('the state folder', () => {
  let path = '';
  afterEach(async () => await rm(path, { recursive: true, force: true }));

  async function open(): Promise<StateFolder> {
    path = await mkdtemp('/tmp/ccp-');
    return await openStateFolder(path);
  }

  const { spec } = aPool({ backends: [aBackend('a', '127.0.1.1', { drain: { enabled: true } }), aBackend('b', 'fd00::1')] });
  const roster = nextRoster({ spec, previous: [], counts: new Map() }, 1_000);

  it('gives back the servers that it was given', async () => {
    const folder = await open();
    expect(await loadRoster(folder)).toEqual({ roster: [], clock: null, setAside: null });
    await saveRoster(folder, roster, NOW);
    expect(await loadRoster(folder)).toEqual({ roster, clock: NOW, setAside: null });
  });

  it.each(['', '{', '{"version":1}', '{"version":"x","servers":[]}'])('sets aside what it cannot read: %j', async (text) => {
    const folder = await open();
    await writeFile(folder.rosterFile, text);
    expect(await loadRoster(folder)).toEqual({ roster: [], clock: null, setAside: `${folder.rosterFile}.unreadable` });
    expect(await readFile(`${folder.rosterFile}.unreadable`, 'utf8')).toBe(text);
  });

  it('takes what it understands of a newer version, and of a file with wrong entries, which is kept aside', async () => {
    const folder = await open();
    await saveRoster(folder, roster, NOW);
    const saved = JSON.parse(await readFile(folder.rosterFile, 'utf8')) as { servers: { name: string; deadlineMs: number }[] };
    await writeFile(folder.rosterFile, JSON.stringify({ ...saved, version: 2, more: true }));
    expect(await loadRoster(folder)).toEqual({ roster, clock: NOW, setAside: null });
    const [first] = saved.servers;
    for (const wrong of [{}, null, { ...first, name: 'A;b' }, { ...first, deadlineMs: 1e300 }, first]) {
      await writeFile(folder.rosterFile, JSON.stringify({ ...saved, servers: [...saved.servers, wrong] }));
      expect(await loadRoster(folder)).toEqual({ roster, clock: NOW, setAside: `${folder.rosterFile}.unreadable` });
    }
  });

  it('belongs to one process at a time', async () => {
    await open();
    const message = `another cccam-operator uses it (pid ${process.pid})`;
    await expect(openStateFolder(path)).rejects.toMatchObject({ code: 'CCP_STATE_IN_USE', message: expect.stringContaining(message) });
  });

  it('says so when it cannot be made', async () => {
    path = await mkdtemp('/tmp/ccp-');
    await writeFile(`${path}/file`, '');
    await expect(openStateFolder(`${path}/file/state`)).rejects.toMatchObject({ code: 'CCP_STATE_UNWRITABLE' });
  });

  it('leaves the mode of a folder alone that was there before, and takes none that others may write in', async () => {
    path = await mkdtemp('/tmp/ccp-');
    await openStateFolder(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    const open = await mkdtemp('/tmp/ccp-');
    await chmod(open, 0o777);
    await expect(openStateFolder(open)).rejects.toMatchObject({
      code: 'CCP_STATE_UNWRITABLE',
      message: expect.stringContaining('other users may write'),
    });
    expect((await stat(open)).mode & 0o777).toBe(0o777);
    await rm(open, { recursive: true });
    expect((await stat((await openStateFolder(`${path}/new`)).path)).mode & 0o777).toBe(0o711);
  });

  it('ends with the last of many rosters on disk, and tries again what failed', async () => {
    const folder = await open();
    const events: string[] = [];
    const writer = new LatestWriter<Roster>(
      async (latest) => await saveRoster(folder, latest, NOW),
      (event) => events.push(event.reason),
    );
    for (let count = 0; count <= roster.length; count += 1) writer.save(roster.slice(0, count));
    await writer.flush();
    expect((await loadRoster(folder)).roster).toEqual(roster);
    await rm(path, { recursive: true });
    writer.save([]);
    await writer.flush();
    expect(events).toEqual(['FileNotWritten']);
    await openFolderAgain(path);
    writer.retry();
    await writer.flush();
    expect(events).toEqual(['FileNotWritten', 'FileWritten']);
  });
});

async function openFolderAgain(path: string): Promise<void> {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(path);
}
