import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES, NEWEST } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

/** One look of the program at HAProxy is half a second; the rest is what a busy machine needs. */
const ONE_RESYNC_MS = 2_000;

describe.each(BINARIES)('what others did to HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  async function serving(): Promise<void> {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: [box.backend(1), box.backend(2, { weight: 40 }), box.backend(3)] });
    await box.start();
  }

  async function line(index: number): Promise<string> {
    return (await box.commands('show servers state servers'))[0]?.split('\n').find((each) => each.includes(` ${box.nameOf(index)} `)) ?? '';
  }

  it.each([
    ['a weight', 'set server servers/NAME weight 3', /^\S+ \S+ \S+ \S+ \S+ 2 4? ?\S* ?40/],
    ['a drain', 'set server servers/NAME state drain', / 2 [04] 40 /],
    ['a limit', 'set maxconn server servers/NAME 7', / 2 [04] 40 /],
    ['switched-off checks', 'disable health servers/NAME', / 2 [04] 40 /],
  ])('%s changed by hand is put right and reported within one resync', async (_what, command) => {
    await serving();
    const clients = await box.heldSessions(20);
    await box.commands(command.replace('NAME', box.nameOf(2)));
    await until(
      'it is reported',
      () => box.events('Repaired', 2).length > 0,
      ONE_RESYNC_MS,
      () => box.news.slice(-5),
    );
    await until(
      'it is right again',
      async () => / 2 [04] 40 .* 6 0 0 1 /.test(await line(2)) && (await limitOf(2)) === '157',
      ONE_RESYNC_MS,
      () => box.status,
    );
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    await until('it serves', () => box.serverStatus(2)?.state === 'Up');
  });

  async function limitOf(index: number): Promise<string> {
    return (
      (await box.commands('show stat servers 4 -1'))[0]
        ?.split('\n')
        .find((each) => each.includes(`,${box.nameOf(index)},`))
        ?.split(',')[6] ?? ''
    );
  }

  it.each([
    ['a frontend that was shut', 'disable frontend clients', async () => (await frontend()).includes(',OPEN,')],
    ['a limit of the frontend', 'set maxconn frontend clients 3', async () => (await frontend()).split(',')[6] === '4050'],
    ['a limit of the process', 'set maxconn global 5', async () => /^Maxconn: 4050$/m.test(await info())],
    ['a limit of sessions a second', 'set rate-limit sessions global 1', async () => /^SessRateLimit: 0$/m.test(await info())],
    ['a limit of connections a second', 'set rate-limit connections global 1', async () => /^ConnRateLimit: 0$/m.test(await info())],
    ['another port for checks', 'set server servers/NAME check-port 9', async () => (await line(2)).split(' ')[21] === '12001'],
    [
      'another address for checks',
      'set server servers/NAME check-addr 127.0.0.9',
      async () => (await line(2)).split(' ')[22] === box.server(2).host,
    ],
  ] as const)('%s is put right and reported within one resync', async (_what, command, isRight) => {
    await serving();
    const clients = await box.heldSessions(10);
    await box.commands(command.replace('NAME', box.nameOf(2)));
    await until(
      'it is reported',
      () => box.events('Repaired').length > 0,
      ONE_RESYNC_MS,
      () => box.news.slice(-5),
    );
    await until('it is right again', isRight, ONE_RESYNC_MS, async () => [await frontend(), await info(), await line(2)]);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    expect(await box.whoServes()).not.toBeNull();
  });

  it('a frontend that was shut down, which no command can undo, is back after one reload, and no session is lost', async () => {
    await serving();
    const clients = await box.heldSessions(10);
    await box.commands('shutdown frontend clients');
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    expect(await box.whoServes()).not.toBeNull();
    expect(clients.every((client) => client.lost === 0)).toBe(true);
  });

  async function info(): Promise<string> {
    return (await box.commands('show info'))[0] ?? '';
  }

  async function frontend(): Promise<string> {
    return (await box.commands('show stat clients 1 -1'))[0]?.split('\n')[1] ?? '';
  }

  it('a server deleted by hand comes back', async () => {
    await serving();
    await box.commands(`set server servers/${box.nameOf(2)} state maint`, `del server servers/${box.nameOf(2)}`);
    await until(
      'it is reported',
      () => box.events('Repaired', 2).length > 0,
      ONE_RESYNC_MS,
      () => box.news.slice(-5),
    );
    await until(
      'it serves',
      () => box.serverStatus(2)?.state === 'Up',
      ONE_RESYNC_MS,
      () => box.status,
    );
    await until('it has its id', async () => (await line(2)).split(' ')[2] === '2', ONE_RESYNC_MS);
    await until('it serves again', () => box.serverStatus(2)?.state === 'Up');
  });

  it('a server added by hand is taken out, and no session on it is cut', async () => {
    await serving();
    const stranger = await box.addServer();
    await box.commands(`add server servers/stranger ${stranger.host}:12001 id 99 weight 256`, 'set server servers/stranger state ready');
    const clients = await box.heldSessions(20);
    await until(
      'it is out of rotation',
      async () =>
        / stranger \S+ 2 8 /.test((await box.commands('show servers state servers'))[0] ?? '') ||
        !(await box.commands('show servers state servers'))[0]?.includes('stranger'),
      ONE_RESYNC_MS,
    );
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    for (const client of clients) if (client.servedBy === stranger.label) client.reconnect();
    await until('it is gone', async () => !(await box.commands('show servers state servers'))[0]?.includes('stranger'), 5_000);
  });

  it.each(['worker', 'master'] as const)('a killed %s is started again, with every weight and drain as before', async (which) => {
    await serving();
    await box.save({ backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2, { weight: 40 }), box.backend(3)] });
    await until('it drains', () => box.serverStatus(1)?.state === 'Drained' || box.serverStatus(1)?.state === 'Draining');
    const clients = await box.heldSessions(20);
    const { masterPid, currentPid } = await box.processes();
    process.kill(which === 'master' ? masterPid : (currentPid ?? 0), 'SIGKILL');
    await until(
      'it is reported',
      () => box.events('HaproxyDied').length > 0,
      5_000,
      () => box.news.slice(-5),
    );
    await until(
      'all is as before',
      () => box.condition('ProxiesSynced') === 'True' && box.serverStatus(2)?.state === 'Up',
      10_000,
      () => [box.status, box.news.slice(-10)],
    );
    await until('everybody is served', () => clients.every((client) => client.servedBy !== null), 10_000);
    expect(await line(2)).toMatch(/ 2 [04] 40 /);
    expect(clients.some((client) => client.servedBy === 's1')).toBe(false);
  });

  it('an old worker that hangs is not taken for empty, and keeps nothing else from being done', async () => {
    await serving();
    await box.heldSessions(12);
    await box.save({ backends: [box.backend(1), box.backend(2, { weight: 40 }), box.backend(3)], timeouts: { idle: '20m' } });
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    const old = (await box.processes()).oldPids[0] ?? 0;
    process.kill(old, 'SIGSTOP');
    try {
      const drained = {
        backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2, { weight: 7 }), box.backend(3)],
        timeouts: { idle: '20m' },
      };
      await box.save(drained);
      await until('the weight is in force', async () => / 2 [04] 7 /.test(await line(2)), 5_000);
      await until(
        'it drains',
        () => box.serverStatus(1)?.state === 'Draining',
        5_000,
        () => box.status,
      );
      await throughout('it is not called drained', 2_500, () => box.serverStatus(1)?.state === 'Draining');
    } finally {
      process.kill(old, 'SIGCONT');
    }
    const counted = async (): Promise<boolean> =>
      (await box.metric('cccam_server_old_worker_sessions')).some((each) => !each.endsWith(' 0'));
    await until('its sessions are counted again', counted, 5_000);
  });

  it('a port that is taken is refused by HAProxy, which keeps serving, and is not tried again at every look', async () => {
    await serving();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '0.0.0.0', resolve));
    const address = taken.address();
    const clients = await box.heldSessions(10);
    await box.save({ port: typeof address === 'object' ? address?.port : 0, backends: box.backends() });
    await until(
      'it is reported',
      () => box.events('ReloadFailed').length > 0,
      30_000,
      () => box.news,
    );
    await throughout('it is not tried again at once', 3_000, () => box.events('ReloadFailed').length === 1);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    expect(await box.whoServes()).not.toBeNull();
    expect((await fetch(`${box.http}/readyz`)).status).toBe(200); // whoever sends clients by this goes on
    await new Promise((resolve) => taken.close(resolve));
  });

  it('a worker that hangs is reported, and all goes on when it wakes up', async () => {
    await serving();
    const { currentPid } = await box.processes();
    process.kill(currentPid ?? 0, 'SIGSTOP');
    try {
      await until('it is reported', () => box.events('Unreachable').length > 0, 5_000);
      await until('the pool is not ready', () => box.condition('Ready') === 'False');
      expect((await fetch(`${box.http}/readyz`)).status).toBe(503);
      await box.save({ backends: [box.backend(1), box.backend(2, { weight: 7 }), box.backend(3)] });
    } finally {
      process.kill(currentPid ?? 0, 'SIGCONT');
    }
    await until('what was asked for meanwhile is done', async () => / 2 [04] 7 /.test(await line(2)), 5_000);
    await until('it says so', () => box.events('Reachable').length > 0 && box.condition('Ready') === 'True');
  });
});

const filler = (folder: string): string => join(folder, 'filler');

/** What becomes of a disk, and what ends it. */
const DISKS = [
  {
    name: 'full',
    begin: async (folder: string) => await writeFile(filler(folder), Buffer.alloc(1_000_000)).catch(() => undefined), // ENOSPC is what it is for
    end: async (folder: string) => await rm(filler(folder)),
  },
  {
    name: 'read-only',
    // Another mount on top: the one below is open for writing, and cannot be made read-only.
    begin: async (folder: string) => {
      execFileSync('mount', ['--bind', folder, folder]);
      execFileSync('mount', ['-o', 'remount,bind,ro', folder]);
    },
    end: async (folder: string) => void execFileSync('umount', [folder]),
  },
];

describe('a state folder on a disk', () => {
  it.each(DISKS)('that is $name stops no change at run time, is reported, and is made good when it is over', async ({ begin, end }) => {
    const box = await TestBox.create(NEWEST, 2);
    await mkdir(box.stateDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=755', 'tmpfs', box.stateDir]);
    try {
      await box.save({ backends: box.backends() });
      await box.start();
      await begin(box.stateDir);
      await box.save({ backends: [box.backend(1, { weight: 9 }), box.backend(2)] });
      await until(
        'the weight is effective',
        async () => /2 [04] 9 /.test((await box.commands('show servers state servers'))[0] ?? ''),
        2_000,
      );
      await until(
        'it is reported',
        () => box.events('FileNotWritten').length > 0,
        5_000,
        () => box.news,
      );
      await end(box.stateDir);
      await until(
        'it is made good',
        () => box.events('FileWritten').length > 0,
        5_000,
        () => box.news,
      );
      expect(execFileSync('cat', [join(box.stateDir, 'haproxy.cfg')], { encoding: 'utf8' })).toContain('weight 9');
    } finally {
      await box.dispose().catch(() => undefined); // the folder is still a mount point
      execFileSync('umount', ['-l', box.stateDir]);
      await rm(box.folder, { recursive: true, force: true });
    }
  });
});
