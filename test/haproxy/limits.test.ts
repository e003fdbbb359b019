import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { GREETING_BYTES, HELLO } from '../../src/simulate/protocol.ts';
import { BINARIES, NEWEST } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

const NOT_STICKY = { balance: { stickiness: { mode: 'None' } } };

describe.each(BINARIES)('limits on HAProxy $version', (binary) => {
  let box: TestBox;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await box.dispose();
  });

  /** Opens a session from an address, perhaps with something to say first. @returns whether it was greeted */
  async function greeted(from: number, first?: Buffer | string): Promise<boolean> {
    const localAddress = [24, 16, 8, 0].map((shift) => (from >>> shift) & 0xff).join('.');
    const socket = connect({ host: '127.0.0.1', port: box.port, localAddress });
    sockets.push(socket);
    if (first !== undefined) socket.write(first);
    return await new Promise<boolean>((resolve) => {
      let bytes = 0;
      socket.on('data', (chunk) => {
        if (bytes < GREETING_BYTES && bytes + chunk.length >= GREETING_BYTES) socket.write(HELLO);
        bytes += chunk.length;
        if (bytes > GREETING_BYTES) resolve(true);
      });
      socket.once('close', () => resolve(false));
      socket.on('error', () => socket.destroy()); // refused: the close says so
    });
  }

  async function reloadedBy(spec: Record<string, unknown>): Promise<void> {
    const before = box.events('Reloaded').length;
    await box.save(spec);
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length > before,
      30_000,
      () => box.news,
    );
  }

  it('of a server hold over reloads: what earlier workers hold takes its places', { timeout: 120_000 }, async () => {
    box = await TestBox.create(binary, 2);
    const spec = { ...NOT_STICKY, backends: [1, 2].map((index) => box.backend(index, { capacity: { maxConnections: 10 } })) };
    await box.save(spec);
    await box.start();
    const clients = await box.heldSessions(20);
    expect(box.servers.map((server) => server.sessions)).toEqual([10, 10]);
    await reloadedBy({ ...spec, timeouts: { idle: '45m' } });
    const more = box.clients(20, { retryMs: 300 });
    await throughout('nobody is served beyond the limit', 3_000, () => box.servers.every((server) => server.sessions <= 10));
    expect([1, 2].map((index) => box.serverStatus(index)?.state)).toEqual(['Full', 'Full']);
    await reloadedBy({ ...spec, timeouts: { idle: '50m' } });
    await throughout('nor after the second reload', 2_000, () => box.servers.every((server) => server.sessions <= 10));
    for (const client of clients.slice(0, 6)) client.reconnect();
    await until(
      'places that get free are taken',
      () => box.sessions === 20,
      10_000,
      () => box.status,
    );
    await throughout('and no more than those', 1_000, () => box.servers.every((server) => server.sessions <= 10));
    expect([...clients, ...more].every((client) => client.lost === 0)).toBe(true);
  });

  it('of a server hold when its backend gets another name, or a second line', async () => {
    box = await TestBox.create(binary, 1);
    await box.save({ ...NOT_STICKY, backends: [box.backend(1, { capacity: { maxConnections: 5 } })] });
    await box.start();
    await box.heldSessions(5);
    await box.save({ ...NOT_STICKY, backends: [{ ...box.backend(1, { capacity: { maxConnections: 5 } }), name: 'renamed' }] });
    await until('the new name is there', () => box.status?.backends.some(({ name, ready }) => name === 'renamed' && ready === 1) ?? false);
    box.clients(5, { retryMs: 200 });
    await throughout('it takes nobody beyond its limit', 2_000, () => box.server(1).sessions <= 5);
  });

  it('of a client hold over reloads', { timeout: 90_000 }, async () => {
    box = await TestBox.create(binary, 1);
    const spec = { backends: box.backends(), limits: { perClient: { connections: 3 } } };
    await box.save(spec);
    await box.start();
    const from = 0x7f_37_00_01;
    expect(await Promise.all([1, 2, 3, 4].map(() => greeted(from)))).toEqual(expect.arrayContaining([true, true, true, false]));
    await reloadedBy({ ...spec, timeouts: { idle: '45m' } });
    await until('the new worker knows', async () => (await box.commands('show table clients'))[0]?.includes('gpt0=3') ?? false);
    expect(await Promise.all([1, 2].map(() => greeted(from)))).toEqual([false, false]);
    expect(await greeted(from + 1)).toBe(true);
    for (const socket of sockets) socket.destroy();
    await until('it may come again once they have ended', async () => await greeted(from), 10_000);
  });

  it('of new sessions let clients behind one address back in after an outage', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ ...NOT_STICKY, backends: box.backends(), limits: { perClient: { connections: 20, newPer10s: 30 } } });
    await box.start();
    const clients = box.clients(20, { retryMs: 700, from: 0x7f_38_00_01 });
    await until('all are served', () => clients.every((client) => client.servedBy !== null), 20_000);
    for (const server of box.servers) await server.kill();
    await until('nobody is served', () => clients.every((client) => client.servedBy === null));
    await throughout('they keep trying', 12_000, () => clients.every((client) => client.servedBy === null));
    for (const server of box.servers) await server.listen();
    await until(
      'all are back',
      () => clients.every((client) => client.servedBy !== null),
      30_000,
      () => [box.status, box.news.slice(-10)],
    );
    const [refused = ''] = await box.metric('cccam_proxy_clients_refused_total{reason="client_limit"}');
    expect(Number(refused.split(' ').at(-1))).toBeGreaterThan(0);
  });

  it('of the proxy refuse the clients beyond it at once, over reloads too', { timeout: 90_000 }, async () => {
    box = await TestBox.create(binary, 1);
    const spec = { backends: box.backends(), proxy: { maxConnections: 10 } };
    await box.save(spec);
    await box.start();
    await box.heldSessions(10);
    const begun = performance.now();
    expect(await greeted(0x7f_39_00_01)).toBe(false);
    expect(performance.now() - begun).toBeLessThan(1_000);
    await reloadedBy({ ...spec, timeouts: { idle: '45m' } });
    await until('the new worker knows', async () => (await box.commands('show table counts'))[0]?.includes('gpt0=10') ?? false);
    expect(await greeted(0x7f_39_00_02)).toBe(false);
    await until('both are counted', async () => {
      const [refused = ''] = await box.metric('cccam_proxy_clients_refused_total{reason="proxy_full"}');
      return Number(refused.split(' ').at(-1)) === 2;
    });
  });

  it('go by the address that a trusted load balancer names, and by no other’s word', async () => {
    box = await TestBox.create(binary, 1);
    await box.save({
      backends: box.backends(),
      limits: { perClient: { connections: 1 } },
      proxy: { maxConnections: 100, proxyProtocol: { from: ['127.58.0.0/16'] } },
    });
    await box.start();
    const v1 = (client: string): string => `PROXY TCP4 ${client} 127.0.0.1 5555 ${box.port}\r\n`;
    const v2 = Buffer.concat([
      Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
      Buffer.from([203, 0, 113, 9, 127, 0, 0, 1, 0x15, 0xb3, 0x2e, 0xe0]),
    ]);
    const balancer = 0x7f_3a_00_01;
    expect(await greeted(balancer, v1('203.0.113.7'))).toBe(true);
    expect(await greeted(balancer, v1('203.0.113.8'))).toBe(true);
    expect(await greeted(balancer, v2)).toBe(true);
    expect(await greeted(balancer, v1('203.0.113.7'))).toBe(false);
    // Somebody else's header is not read: it is just something that a client says.
    const stranger = 0x7f_3b_00_01;
    expect(await greeted(stranger)).toBe(true);
    expect(await greeted(stranger, v1('203.0.113.77'))).toBe(false);
  });
});

describe('a load balancer that says nothing of its client', () => {
  it('is cut off after ten seconds, and holds no place for the idle time', { timeout: 60_000 }, async () => {
    const box = await TestBox.create(NEWEST, 1);
    try {
      await box.save({ backends: box.backends(), proxy: { proxyProtocol: { from: ['127.58.0.0/16'] } } });
      await box.start();
      let closed = false;
      let connected = 0;
      const socket = connect({ host: '127.0.0.1', port: box.port, localAddress: '127.58.0.1' }).once('close', () => {
        closed = true;
      });
      socket.on('error', () => socket.destroy()); // refused: the close says so
      socket.once('connect', () => {
        connected = performance.now();
      });
      socket.resume();
      await until('it is cut off', () => closed, 20_000);
      expect(performance.now() - connected).toBeGreaterThan(9_000);
      expect(connected).toBeGreaterThan(0);
    } finally {
      await box.dispose();
    }
  });
});

describe('a server whose places earlier workers hold', () => {
  it('says so', async () => {
    const box = await TestBox.create(NEWEST, 1);
    try {
      await box.save({ backends: [box.backend(1, { capacity: { maxConnections: 4 } })] });
      await box.start();
      await box.heldSessions(4);
      await box.save({ backends: [box.backend(1, { capacity: { maxConnections: 4 } })], timeouts: { idle: '45m' } });
      await until('HAProxy was reloaded', () => box.events('Reloaded').length === 1, 30_000);
      await until('it says who holds its places', () => /workers from before a reload hold/.test(box.serverStatus(1)?.message ?? ''));
      expect(box.serverStatus(1)?.state).toBe('Full');
    } finally {
      await box.dispose();
    }
  });
});
