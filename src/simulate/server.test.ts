import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { until } from '../../test/support/until.ts';
import { HELLO, labelIn, SILENCE_LIMIT_MS } from './protocol.ts';
import { SimulatedServer } from './server.ts';

describe('SimulatedServer', () => {
  const clock = new FakeClock();
  let server: SimulatedServer;
  afterEach(async () => await server.kill());

  async function visit(mode: SimulatedServer['mode'] = 'normal') {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'attic', clock });
    server.mode = mode;
    await server.listen();
    const socket = connect({ host: '127.0.0.1', port: server.port });
    const seen = { bytes: Buffer.alloc(0), ended: false };
    socket.on('data', (chunk) => {
      seen.bytes = Buffer.concat([seen.bytes, chunk]);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      seen.ended = true;
    });
    socket.on('end', () => {
      seen.ended = true;
    });
    await until('it is connected, or refused at once', () => !socket.connecting);
    return { socket, seen };
  }

  it('greets with 16 random bytes, and closes a client that says nothing after 3 s', async () => {
    const { seen } = await visit();
    await until('it greets', () => seen.bytes.length === 16);
    await clock.advance(SILENCE_LIMIT_MS - 1);
    expect(seen.ended).toBe(false);
    await clock.advance(1);
    await until('it closes', () => seen.ended);
  });

  it('answers our hello with its label, and keeps the session alive every 15 s', async () => {
    const { socket, seen } = await visit();
    await until('it greets', () => seen.bytes.length === 16);
    socket.write(HELLO);
    await until('it answers', () => seen.bytes.length === 36);
    expect(labelIn(seen.bytes.subarray(16))).toBe('attic');
    await clock.advance(SILENCE_LIMIT_MS);
    await clock.advance(30_000);
    await until('two keepalives', () => seen.bytes.length === 44);
    expect(server.sessions).toBe(1);
    socket.destroy();
    await until('it notices the end', () => server.sessions === 0);
  });

  it('answers whatever a session sends, unless it is quiet', async () => {
    const { socket, seen } = await visit();
    await until('it greets', () => seen.bytes.length === 16);
    socket.write(HELLO);
    await until('it answers', () => seen.bytes.length === 36);
    socket.write('ask');
    await until('it answers again', () => seen.bytes.length === 40);
  });

  it('bans an address that connects too often, and longer with each try', async () => {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'attic', clock });
    server.ban = { connections: 2, withinMs: 60_000, forMs: 90_000 };
    await server.listen();
    const bytes = async (): Promise<number> => {
      const socket = connect({ host: '127.0.0.1', port: server.port });
      let count = 0;
      let over = false;
      socket.on('data', (chunk) => {
        count += chunk.length;
      });
      socket.on('end', () => {
        over = true;
      });
      await until('it greets or closes', () => count === 16 || over);
      socket.destroy();
      return count;
    };
    expect([await bytes(), await bytes(), await bytes()]).toEqual([16, 16, 0]);
    await clock.advance(89_000);
    expect(await bytes()).toBe(0);
    await clock.advance(89_000);
    expect(await bytes()).toBe(0);
    await clock.advance(91_000);
    expect(await bytes()).toBe(16);
  });

  it.each(['close', 'silent'] as const)('does with one too many what its limit says: %s', async (full) => {
    const { socket, seen } = await visit();
    await until('it greets', () => seen.bytes.length === 16);
    socket.write(HELLO);
    await until('it is a session', () => server.sessions === 1);
    server.limit = { sessions: 1, full };
    const second = connect({ host: '127.0.0.1', port: server.port });
    const ended = { value: false, bytes: 0 };
    second.on('data', (chunk) => {
      ended.bytes += chunk.length;
    });
    second.on('end', () => {
      ended.value = true;
    });
    await until('it was accepted', () => server.accepted === 2);
    await settle();
    if (full === 'close') await until('it is closed', () => ended.value);
    expect([ended.value, ended.bytes]).toEqual([full === 'close', 0]);
    second.destroy();
  });

  it('gives no session to who sends something else', async () => {
    const { socket, seen } = await visit();
    await until('it greets', () => seen.bytes.length === 16);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await settle();
    await clock.advance(SILENCE_LIMIT_MS);
    await until('it closes', () => seen.ended);
  });

  it.each([
    ['hung', false],
    ['banning', true],
    ['closing', true],
  ] as const)('%s: greets no client, and ends the connection: %s', async (mode, ends) => {
    const { seen } = await visit(mode);
    if (ends) await until('it ends', () => seen.ended);
    await clock.advance(10_000);
    expect(seen.bytes.length).toBe(0);
    expect(seen.ended).toBe(ends);
  });

  it('leaking: keeps its side open when a client leaves', async () => {
    const { socket, seen } = await visit('leaking');
    await until('it greets', () => seen.bytes.length === 16);
    socket.end();
    await settle();
    await clock.advance(60_000);
    expect(seen.ended).toBe(false);
    socket.destroy();
  });
});
