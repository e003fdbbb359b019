import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { chmod, chown, rm, symlink, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommands } from '../../src/haproxy/runtime-socket.ts';
import { BINARIES, NEWEST } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

const STRANGER = 65_534;
/** Starts a program as somebody who must keep to the permissions of files, but may read wherever the program is. */
const AS_STRANGER = [
  ...['setpriv', `--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups'],
  ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'],
];

describe.each(BINARIES)('what hands and neighbours do to HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  async function serving(): Promise<void> {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends(1, 2, 3) });
    await box.start();
  }

  /** A change of the pool is in force, and nobody was lost for it. */
  async function worksOn(clients: readonly { readonly lost: number }[]): Promise<void> {
    await box.save({ backends: [box.backend(1), box.backend(2, { drain: { enabled: true } }), box.backend(3)] });
    await until(
      'the drain is in force',
      () => ['Draining', 'Drained'].includes(box.serverStatus(2)?.state ?? ''),
      10_000,
      () => box.news.slice(-8),
    );
    expect(await box.whoServes()).not.toBeNull();
    expect(clients.every((client) => client.lost === 0)).toBe(true);
  }

  it.each(['runtime', 'master', 'peers', 'runtime, master and peers'])(
    'sockets that are deleted are made again, and each client keeps its server over the next reload: %s',
    { timeout: 90_000 },
    async (which) => {
      await serving();
      const clients = await box.heldSessions(20);
      for (const name of ['runtime', 'master', 'peers']) if (which.includes(name)) await unlink(join(box.stateDir, `${name}.sock`));
      await until(
        'it is said',
        () => box.events('SocketsDeleted').length > 0,
        20_000,
        () => box.news.slice(-8),
      );
      await worksOn(clients);
      const remembered = async (): Promise<number> => Number(/used:(\d+)/.exec((await box.commands('show table servers'))[0] ?? '')?.[1]);
      await box.heldSessions(20);
      const before = await remembered();
      expect(before).toBeGreaterThanOrEqual(20);
      await box.save({ backends: box.backends(1, 2, 3), timeouts: { idle: '50m' } });
      await until('it is reloaded', () => box.events('Reloaded').length > 0, 40_000);
      await until('the table is handed over', async () => (await remembered()) >= before);
    },
  );

  it('control sockets that are gone when the program comes back are made again, too', async () => {
    await serving();
    const clients = await box.heldSessions(20);
    await box.killProgram();
    for (const path of Object.values(box.sockets)) await unlink(path);
    await box.start();
    expect(box.events('HaproxyAdopted')).toHaveLength(1);
    await worksOn(clients);
  });

  it.each(['runtime', 'master'] as const)(
    'a %s socket that others hold full costs no session, and all goes on once they let go',
    async (which) => {
      await serving();
      const clients = await box.heldSessions(10);
      const holders = Array.from({ length: 300 }, () => connect(box.sockets[which]));
      // Above its own limit HAProxy lets them wait, and the kernel refuses what does not even find room to wait.
      for (const each of holders) each.on('error', () => each.destroy());
      try {
        // The master answers nobody else meanwhile: what needs it waits, and the rest does not.
        if (which === 'runtime') await until('it is reported', () => box.events('Unreachable').length > 0, 10_000);
        expect(await box.whoServes()).not.toBeNull();
      } finally {
        for (const each of holders) each.destroy();
      }
      await until('it is synced', () => box.condition('ProxiesSynced') === 'True', 10_000);
      await worksOn(clients);
    },
  );

  it.each(['runtime', 'master'] as const)('a %s socket that may no longer be opened costs no session, and says so', async (which) => {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends(1, 2, 3) });
    await chown(box.folder, STRANGER, STRANGER);
    await box.start(true, { through: AS_STRANGER });
    const clients = await box.heldSessions(10);
    await chmod(box.sockets[which], 0);
    await until(
      'it is reported',
      () => box.news.some(({ message }) => message.includes('EACCES')),
      20_000,
      () => box.news.slice(-8),
    );
    expect(await box.whoServes()).not.toBeNull();
    await chmod(box.sockets[which], 0o600);
    await until('it is synced', () => box.condition('ProxiesSynced') === 'True', 20_000);
    await worksOn(clients);
  });

  it('a server with an odd name that was added by hand is taken out, and changes go on', async () => {
    await serving();
    const clients = await box.heldSessions(10);
    await box.commands('add server servers/Odd_Name 127.0.0.1:9', 'set server servers/Odd_Name state ready');
    await until(
      'it is taken out',
      async () => !((await box.commands('show servers state servers'))[0] ?? '').includes('Odd_Name'),
      10_000,
      () => box.news.slice(-8),
    );
    await worksOn(clients);
  });

  it('a full table of clients and sixty drained servers are no sign that HAProxy is gone', async () => {
    box = await TestBox.create(binary, 3);
    const away = Array.from({ length: 60 }, (_, index) => ({
      name: `away-${index}`,
      external: { address: `127.77.0.${index + 1}` },
      port: 12_000,
      drain: { enabled: true, deadline: '2h' },
    }));
    await box.save({ backends: [...box.backends(1, 2, 3), ...away] });
    await box.start();
    const clients = await box.heldSessions(20);
    const keys = Array.from({ length: 102_400 }, (_, index) => `2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::`);
    for (let from = 0; from < keys.length; from += 2_000)
      await runCommands(
        box.sockets.runtime,
        keys.slice(from, from + 2_000).map((key) => `set table servers key ${key} data.server_id 1`),
      );
    expect((await box.commands('show table'))[0]).toMatch(/table: servers, .*used:10[0-9]{4}/);
    await throughout('it is reachable', 5_000, async () => (await fetch(`${box.http}/readyz`)).status === 200);
    expect(box.events('Unreachable')).toEqual([]);
    await worksOn(clients);
  });
});

describe('a terminal that does not read', () => {
  let box: TestBox | undefined;
  afterEach(async () => await box?.dispose());

  it('holds up no change: a pipe that is not read stands for one that was stopped with Ctrl-S', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends(1, 2) });
    const pipe = join(box.folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK); // and never reads
    await box.start(false, { stdout: pipe });
    await until(
      'it serves',
      async () => (await serving(box)) === 2,
      20_000,
      async () => await states(box),
    );
    // Some 3 kB for each edit: far more than a pipe holds.
    for (let weight = 1; weight <= 100; weight += 1) {
      await box.save({ backends: [box.backend(1, { weight }), box.backend(2)] });
      await until('the weight is in force', async () => (await weightOf(box, 1)) === weight, 10_000);
    }
    closeSync(reader);
  }, 60_000);
});

async function states(box: TestBox | undefined): Promise<string[]> {
  const answer = await box?.commands('show servers state servers').catch(() => ['']);
  return (answer?.[0] ?? '').split('\n').filter((line) => line.includes(' servers '));
}

async function serving(box: TestBox | undefined): Promise<number> {
  return (await states(box)).filter((line) => / 2 [04] /.test(line)).length;
}

async function weightOf(box: TestBox | undefined, index: number): Promise<number> {
  return Number((await states(box)).find((line) => line.includes(` ${box?.nameOf(index)} `))?.split(' ')[7]);
}

describe('another version of HAProxy under the same name', () => {
  let box: TestBox | undefined;
  afterEach(async () => await box?.dispose());

  it.each([
    ['an update', 0, 1],
    ['a downgrade', 1, 0],
  ])(
    'is taken over by a reload, and the reload is not called failed: %s',
    async (_what, from, to) => {
      const link = join('/tmp', `ccp-haproxy-${process.pid}-${from}`);
      await rm(link, { force: true });
      await symlink(BINARIES[from]?.path === 'haproxy' ? '/usr/sbin/haproxy' : (BINARIES[from]?.path ?? ''), link);
      try {
        box = await TestBox.create({ path: link, version: BINARIES[from]?.version ?? '' }, 2);
        await box.save({ backends: box.backends(1, 2) });
        await box.start();
        await unlink(link);
        await symlink(BINARIES[to]?.path === 'haproxy' ? '/usr/sbin/haproxy' : (BINARIES[to]?.path ?? ''), link);
        await box.save({ backends: box.backends(1, 2), timeouts: { idle: '45m' } });
        await until(
          'it was reloaded',
          () => (box?.events('Reloaded').length ?? 0) > 0,
          40_000,
          () => box?.news.slice(-5),
        );
        expect(box.events('ReloadFailed')).toEqual([]);
        expect((await box.commands('show info'))[0]).toContain(`Version: ${BINARIES[to]?.version}`);
      } finally {
        await rm(link, { force: true });
      }
    },
    90_000,
  );
});
