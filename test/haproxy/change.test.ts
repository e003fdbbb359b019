import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { freePort } from '../support/ports.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('changing a pool on HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it('scales 3 to 10 to 4 with other weights, limits and addresses under 500 held sessions: none is lost, nothing is reloaded', async () => {
    box = await TestBox.create(binary, 11);
    await box.save({ backends: box.backends(1, 2, 3) });
    await box.start();
    const before = await box.processes();
    const clients = await box.heldSessions(500);
    await box.save({ backends: box.backends(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) });
    await until(
      'all ten serve',
      () => box.status?.summary === '10/10',
      10_000,
      () => [box.status, box.news],
    );
    await box.save({
      backends: [
        box.backend(1, { weight: 200 }),
        box.backend(2, { weight: 10, capacity: { maxConnections: 300 } }),
        box.backend(3),
        { ...box.backend(11), name: 's4' },
      ],
    });
    await until(
      'four are left, and the others drain',
      () => box.serverStatus(2)?.state === 'Up' && box.servers.slice(4, 10).every((_, i) => box.serverStatus(i + 5) === undefined),
      15_000,
      () => [box.status, box.news.slice(-20)],
    );
    expect(await box.whoServes()).not.toBeNull();
    expect(clients.reduce((sum, client) => sum + client.lost, 0)).toBe(0);
    expect(await box.processes()).toEqual(before);
    expect(box.events('Repaired')).toEqual([]);
    const [weights] = await box.commands('show servers state servers');
    expect(weights).toMatch(new RegExp(`${box.nameOf(1)} \\S+ 2 [04] 200 `));
    expect(weights).toMatch(new RegExp(`${box.nameOf(2)} \\S+ 2 [04] 10 `));
  });

  it('keeps a changed address apart: the old server drains beside the new one', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: [box.backend(1)] });
    await box.start();
    const clients = await box.heldSessions(20);
    await box.save({ backends: [{ ...box.backend(2), name: 's1' }] });
    await until('new sessions go to the new address', async () => (await box.whoServes()) === 's2');
    await throughout('held sessions stay where they are', 500, () => box.server(1).sessions === 20);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    expect(box.status?.backends[0]?.servers.map((server) => server.state).sort()).toEqual(['Draining', 'Up']);
  });

  it('moves to another port without refusing a client at the old one, and lets that go half a minute later', {
    timeout: 120_000,
  }, async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(20);
    const port = await freePort();
    await box.save({ backends: box.backends(), port });
    await until(
      'clients are let in at the new port',
      async () => (await greetedAt(port)) === true,
      30_000,
      () => box.news,
    );
    expect(await greetedAt(box.port)).toBe(true);
    await until(
      'the old port is let go',
      async () => (await greetedAt(box.port)) === false,
      60_000,
      () => box.news,
    );
    expect(await greetedAt(port)).toBe(true);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    expect(box.events('ReloadFailed')).toEqual([]);
  });

  it('loses no session to a port that is taken back at once', { timeout: 90_000 }, async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    await until(
      'a reload would not wait',
      async () => /^Uptime_sec: (1[6-9]|[2-9]\d)$/m.test((await box.commands('show info'))[0] ?? ''),
      30_000,
    );
    await box.save({ backends: box.backends(), port: await freePort() });
    await until('HAProxy was reloaded', () => box.events('Reloaded').length === 1, 30_000);
    await box.save({ backends: box.backends() });
    await throughout('every client gets in where it always did', 20_000, async () => await greetedAt(box.port));
  });

  it('reloads once for a new idle time, and keeps every session', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(50);
    await box.save({ backends: box.backends(), timeouts: { idle: '20m' } });
    await until(
      'HAProxy runs the new structure',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    await until('the program says so', () => box.condition('ProxiesSynced') === 'True');
    expect(await box.whoServes()).not.toBeNull();
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    const { oldPids, reloads } = await box.processes();
    expect([oldPids.length, reloads]).toEqual([1, 1]);
    expect(box.status?.sessions).toBe(50);
    expect(await box.metric('cccam_proxy_workers{kind="old"}')).toEqual(['cccam_proxy_workers{kind="old"} 1']);
  });
});

/** Whether a client that connects there is greeted. */
async function greetedAt(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  const greeted = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
    socket.on('error', () => socket.destroy()); // refused: the close says so
  });
  socket.destroy();
  return greeted;
}
