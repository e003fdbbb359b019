import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { HELLO } from '../../src/simulate/protocol.ts';
import { SimulatedServer } from '../../src/simulate/server.ts';
import { BINARIES } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('options of a pool on HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  async function shares(): Promise<number[]> {
    return box.servers.map((server) => server.sessions);
  }

  it.each(['LeastConnections', 'RoundRobin', 'Random', 'SourceHash'] as const)(
    '%s spreads sessions by weight, and takes a new weight without a reload',
    async (algorithm) => {
      box = await TestBox.create(binary, 3);
      const balance = { algorithm, stickiness: { mode: 'None' } };
      await box.save({
        balance,
        backends: [box.backend(1, { weight: 100 }), box.backend(2, { weight: 100 }), box.backend(3, { weight: 200 })],
      });
      await box.start();
      await box.heldSessions(240);
      const [a = 0, b = 0, c = 0] = await shares();
      const exact = algorithm === 'LeastConnections' || algorithm === 'RoundRobin';
      expect(Math.abs(c - 120)).toBeLessThanOrEqual(exact ? 4 : 35);
      expect(Math.abs(a - b)).toBeLessThanOrEqual(exact ? 4 : 40);
      const before = await box.processes();
      await box.save({
        balance,
        backends: [box.backend(1, { weight: 0 }), box.backend(2, { weight: 100 }), box.backend(3, { weight: 200 })],
      });
      await until(
        'the weight is effective',
        () => box.serverStatus(1)?.state === 'Draining' && box.condition('ProxiesSynced') === 'True',
        10_000,
        () => box.status,
      );
      await box.heldSessions(60);
      expect(box.server(1).sessions).toBe(a);
      expect(await box.processes()).toEqual(before);
    },
  );

  it('SourceHash brings a client back to its server, and moves only its own when one is added', async () => {
    box = await TestBox.create(binary, 4);
    const balance = { algorithm: 'SourceHash', stickiness: { mode: 'None' } };
    await box.save({ balance, backends: box.backends(1, 2, 3) });
    await box.start();
    const addresses = Array.from({ length: 60 }, (_, index) => 0x7f_32_00_01 + index);
    const first = await Promise.all(addresses.map((from) => box.whoServes(3_000, from)));
    const again = await Promise.all(addresses.map((from) => box.whoServes(3_000, from)));
    expect(again).toEqual(first);
    await box.save({ balance, backends: box.backends() });
    await until('the fourth serves', () => box.serverStatus(4)?.state === 'Up');
    const after = await Promise.all(addresses.map((from) => box.whoServes(3_000, from)));
    expect(after.filter((label, index) => label !== first[index] && label !== 's4')).toEqual([]);
    expect(after).toContain('s4');
  });

  it('stickiness brings a client back, over a reload too', async () => {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends() });
    await box.start();
    const addresses = Array.from({ length: 30 }, (_, index) => 0x7f_33_00_01 + index);
    const first = await Promise.all(addresses.map((from) => box.whoServes(3_000, from)));
    expect(new Set(first).size).toBe(3);
    await box.save({ backends: box.backends(), timeouts: { idle: '25m' } });
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    await until('the pool serves', () => box.condition('Ready') === 'True');
    const again = await Promise.all(addresses.map((from) => box.whoServes(3_000, from)));
    expect(again).toEqual(first);
  });

  it('limits sessions and new sessions per client address', async () => {
    box = await TestBox.create(binary, 1);
    await box.save({ backends: box.backends(), limits: { perClient: { connections: 3, newPer10s: 10 } } });
    await box.start();
    const from = 0x7f_34_00_01;
    const held = await Promise.all([1, 2, 3, 4, 5].map(() => holdFrom(box, from)));
    expect(held.filter((client) => client.served)).toHaveLength(3);
    for (const client of held) client.socket.destroy();
    await until('they are gone', () => box.sessions === 0);
    const burst: (string | null)[] = [];
    for (let index = 0; index < 14; index += 1) burst.push(await box.whoServes(500, from + 1));
    expect(burst.filter((label) => label !== null)).toHaveLength(10);
    expect(await box.whoServes(500, from + 2)).toBe('s1');
  });

  it('keeps to a server’s limit, and sends the clients beyond it to the next', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({
      balance: { stickiness: { mode: 'None' } },
      backends: [
        box.backend(1, { weight: 256, capacity: { maxConnections: 5 } }),
        box.backend(2, { weight: 1, capacity: { maxConnections: 50 } }),
      ],
    });
    await box.start();
    await box.heldSessions(5);
    const more = box.clients(20);
    await until(
      'they are served, by the other where this one is full',
      () => more.every((client) => client.servedBy !== null),
      15_000,
      () => box.servers.map((server) => server.sessions),
    );
    await throughout('the limit holds', 500, () => box.server(1).sessions <= 5);
  });

  it('lets a remembered client go elsewhere when its server is full', async () => {
    box = await TestBox.create(binary, 2);
    const full = box.backend(1, { weight: 100, capacity: { maxConnections: 2 } });
    await box.save({ backends: [full] });
    await box.start();
    const from = 0x7f_35_00_01;
    expect(await box.whoServes(3_000, from)).toBe('s1');
    const others = await Promise.all([1, 2].map((each) => holdFrom(box, from + each)));
    expect(others.every((each) => each.served)).toBe(true);
    await box.save({ backends: [full, box.backend(2, { weight: 100, capacity: { maxConnections: 50 } })] });
    await until('the other is there', () => box.serverStatus(2)?.state === 'Up');
    const took = await until('it is served by the other', async () => (await box.whoServes(3_500, from, 500)) === 's2', 15_000);
    expect(took).toBeLessThan(8_000);
    expect(box.server(1).sessions).toBe(2);
    for (const each of others) each.socket.destroy();
  });

  it('sends no session at all to a server of weight 0, remembered clients neither, and keeps those that it has', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const from = 0x7f_36_00_01;
    const addresses = Array.from({ length: 12 }, (_, index) => from + index);
    const first = await Promise.all(addresses.map((each) => box.whoServes(3_000, each)));
    expect(first).toContain('s1');
    const clients = await box.heldSessions(10);
    await box.save({ backends: [box.backend(1, { weight: 0 }), box.backend(2)] });
    await until(
      'it rests',
      () => box.serverStatus(1)?.state === 'Draining',
      5_000,
      () => box.status,
    );
    for (const each of addresses) expect(await box.whoServes(3_000, each)).toBe('s2');
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    expect(box.status?.conditions.find((condition) => condition.type === 'Degraded')?.status).toBe('False');
  });

  it('reaches a server over IPv6', async () => {
    box = await TestBox.create(binary, 1);
    const six = new SimulatedServer({ host: '::1', port: 0, label: 'six' });
    await six.listen();
    box.servers.push(six);
    await box.save({ backends: [{ name: 'six', external: { address: '0:0:0:0:0:0:0:1' }, port: six.port }] });
    await box.start();
    expect(await box.whoServes()).toBe('six');
    expect(box.status?.backends[0]?.servers[0]?.name).toBe(`six-::1:${six.port}`);
  });

  it('an open port is enough where the pool says so', async () => {
    box = await TestBox.create(binary, 1);
    box.server(1).mode = 'hung';
    await box.save({ backends: box.backends(), health: { probe: 'Connect' } });
    await box.start();
    expect(box.serverStatus(1)?.state).toBe('Up');
  });

  it('hands every timeout and the keepalives of clients to HAProxy', async () => {
    box = await TestBox.create(binary, 1);
    await box.save({ backends: box.backends(), timeouts: { idle: '60s' } });
    await box.start();
    const config = await readFile(join(box.stateDir, 'haproxy.cfg'), 'utf8');
    for (const timeout of ['client', 'server', 'tunnel']) expect(config).toContain(`timeout ${timeout} 60000ms`);
    for (const option of ['option clitcpka', 'clitcpka-idle 120000ms', 'clitcpka-intvl 60000ms', 'clitcpka-cnt 8'])
      expect(config).toContain(option);
  });
});

/** Opens one session from an address, without coming back. @returns whether it was served, and its socket */
async function holdFrom(box: TestBox, from: number): Promise<{ served: boolean; socket: Socket }> {
  const socket = connect({
    host: '127.0.0.1',
    port: box.port,
    localAddress: [24, 16, 8, 0].map((shift) => (from >>> shift) & 0xff).join('.'),
  });
  const served = await new Promise<boolean>((resolve) => {
    socket.once('data', () => {
      socket.write(HELLO);
      socket.once('data', () => resolve(true));
    });
    socket.once('close', () => resolve(false));
    socket.on('error', () => socket.destroy()); // refused: the close says so
  });
  return { served, socket };
}
