import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { until } from '../../test/haproxy/until.ts';
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
  ] as const)('%s: greets nobody, and ends the connection: %s', async (mode, ends) => {
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
