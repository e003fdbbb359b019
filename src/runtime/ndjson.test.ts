import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { until } from '../../test/support/until.ts';
import { Bell, systemClock } from './clock.ts';
import { CccamError } from './errors.ts';
import { NdjsonClient, type NdjsonClientOptions } from './ndjson-client.ts';
import { NdjsonPublisher } from './ndjson-publisher.ts';
import { type NdjsonStream, readNdjson } from './ndjson-reader.ts';
import type { StreamLimits } from './stream-limits.ts';

const LIMITS: StreamLimits = {
  lineBytes: 100,
  bytes: { perSecond: 1_000, burst: 2_000 },
  lines: { perSecond: 10, burst: 20 },
  silenceMs: 5_000,
};
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What comes of a stream that sends this: the lines that were taken, and the code of how it ended. */
async function read(send: (source: PassThrough, clock: FakeClock) => Promise<void> | void, more: Partial<NdjsonStream<string>> = {}) {
  const [source, clock, taken] = [new PassThrough(), new FakeClock(), [] as string[]];
  const done = readNdjson(source, {
    peer: 'p',
    limits: () => LIMITS,
    clock,
    parse: (text) => text,
    onLine: (text) => void taken.push(text),
    ...more,
  }).then(
    () => 'ended',
    (thrown: unknown) => (thrown instanceof CccamError ? thrown.code : thrown),
  );
  await send(source, clock);
  await settle();
  return { taken, outcome: await done, destroyed: source.destroyed };
}

function trickle(source: PassThrough): void {
  for (const byte of 'x'.repeat(101)) source.write(byte);
}

describe('readNdjson', () => {
  it('takes each line, empty ones apart, until the stream ends', async () => {
    const { outcome, taken } = await read((source) => {
      source.write('{"a":1}\n\n{"b"');
      source.end(':2}\n{"cut off');
    });
    expect([taken, outcome]).toEqual([['{"a":1}', '{"b":2}'], 'ended']);
  });

  it.each([
    ['a line that is too long, sent a byte at a time', trickle],
    ['a long line in one piece', (source: PassThrough) => void source.write(`${'x'.repeat(101)}\n`)],
    ['more lines than it may', (source: PassThrough) => void source.write('{}\n'.repeat(21))],
    ['newlines only', (source: PassThrough) => void source.write('\n'.repeat(21))],
    ['more bytes than it may', (source: PassThrough) => void source.write(`${'x'.repeat(99)}\n`.repeat(20) + 'y'.repeat(50))],
  ])('disconnects a peer that sends %s', async (_what, send) => {
    const { destroyed, outcome } = await read(send);
    expect([outcome, destroyed]).toEqual(['CCP_STREAM_LIMIT', true]);
  });

  it('lets through what comes within the rate', async () => {
    const { outcome, taken } = await read(async (source, clock) => {
      for (let second = 0; second < 10; second += 1) {
        source.write('{}\n'.repeat(10));
        await clock.advance(1_000);
      }
      source.end();
    });
    expect([taken.length, outcome]).toEqual([100, 'ended']);
  });

  it('gives up a peer that is silent, and one that never finishes a line', async () => {
    const silent = await read((_source, clock) => clock.advance(5_000));
    const trickling = await read(async (source, clock) => {
      for (let second = 0; second < 6; second += 1) {
        source.write('x');
        await clock.advance(1_000);
      }
    });
    expect([silent, trickling]).toMatchObject([
      { outcome: 'CCP_STREAM_LOST', destroyed: true },
      { outcome: 'CCP_STREAM_LOST', destroyed: true },
    ]);
  });

  it('says that a line cannot be read', async () => {
    const { outcome } = await read((source) => void source.write('nonsense\n'), { parse: (text) => JSON.parse(text) as string });
    expect(outcome).toBe('CCP_STREAM_UNREADABLE');
  });

  it('does not blame the peer for a fault of the one who takes the line', async () => {
    const { outcome } = await read((source) => void source.write('{}\n'), {
      onLine: () => {
        throw new TypeError('not a function');
      },
    });
    expect(outcome).toBe('CCP_INTERNAL');
  });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<number> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

function subscribe(port: number, more: Partial<NdjsonClientOptions<string>> = {}) {
  const seen = { lines: [] as string[], lost: [] as string[], troubles: [] as string[], opened: 0 };
  const client = new NdjsonClient({
    host: '127.0.0.1',
    port,
    path: '/s',
    limits: () => LIMITS,
    clock: systemClock,
    random: () => 0.5,
    connectMs: 1_000,
    retry: { firstMs: 10, capMs: 20, jitter: 0 },
    parse: (text) => text,
    onLine: (text) => void seen.lines.push(text),
    onOpen: () => {
      seen.opened += 1;
    },
    onLost: (error) => void seen.lost.push(error.message),
    onTrouble: (error) => void seen.troubles.push(error.code),
    ...more,
  });
  const end = new AbortController();
  const running = client.run(end.signal);
  ends.push(async () => {
    end.abort();
    await running;
  });
  return seen;
}

describe('NdjsonClient', () => {
  it('opens its stream again whenever it is lost, and says why', async () => {
    let tries = 0;
    const port = await serve((_request, response) => {
      tries += 1;
      if (tries === 1) response.writeHead(503).end();
      else if (tries === 2) response.writeHead(200).end('{"n":1}\n');
      else response.writeHead(200).write('{"n":2}\n');
    });
    const seen = subscribe(port);
    await until('the third try', () => seen.lines.length === 2);
    expect(seen).toMatchObject({ lines: ['{"n":1}', '{"n":2}'], opened: 2, troubles: ['CCP_STREAM_LOST'] });
    expect(seen.lost).toEqual([expect.stringMatching(/answered 503/), expect.stringMatching(/ended the connection/)]);
  });

  it('gives up a far end that accepts and does not answer', async () => {
    const port = await serve(() => undefined);
    const seen = subscribe(port, { connectMs: 50 });
    await until('it was given up twice', () => seen.lost.length >= 2);
  });

  it('gives up a far end that answers 101, and can be ended meanwhile', async () => {
    const port = await serve(
      (request) => void request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    );
    const seen = subscribe(port);
    await until('it was given up twice', () => seen.lost.length >= 2);
    expect(seen.lost[0]).toMatch(/answered 101/);
  });

  it('reports each kind of trouble once, though two take turns', async () => {
    let tries = 0;
    const port = await serve((_request, response) => {
      tries += 1;
      if (tries % 2 === 0) response.writeHead(503).end();
      else response.writeHead(200).end('nonsense\n');
    });
    const seen = subscribe(port, { parse: (text) => JSON.parse(text) as string });
    await until('six tries', () => seen.lost.length >= 6);
    expect(seen.troubles).toEqual(['CCP_STREAM_UNREADABLE', 'CCP_STREAM_LOST']);
  });

  it('says what is so now, at each change and as a heartbeat', async () => {
    const heard: string[] = [];
    const port = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => heard.push(...chunk.toString().trim().split('\n')));
      response.writeHead(200).write('{}\n');
    });
    const [bell, state] = [new Bell(), { n: 1 }];
    subscribe(port, { outgoing: { line: () => state, bell, everyMs: 200 } });
    await until('the first line', () => heard.includes('{"n":1}'));
    state.n = 2;
    bell.ring();
    await until('the change and a heartbeat', () => heard.filter((line) => line === '{"n":2}').length >= 2);
  });
});

describe('NdjsonPublisher', () => {
  it('sends what comes first, then what is published, to as many of an address as it may have', async () => {
    const publisher = new NdjsonPublisher({ subscribers: 2, perAddress: 1, backlogBytes: 1_000, behindMs: 60_000 }, systemClock);
    const port = await serve((_request, response) => void publisher.add(response, [{ first: true }]));
    const seen = subscribe(port);
    await until('the first line', () => seen.lines.length === 1);
    const refused = subscribe(port);
    await until('the second one is refused', () => refused.lost.length > 0);
    publisher.publish([{ n: 1 }, { n: 2 }]);
    await until('both lines', () => seen.lines.length === 3);
    expect(seen.lines).toEqual(['{"first":true}', '{"n":1}', '{"n":2}']);
    expect(publisher.size).toBe(1);
  });

  it('gives a slow subscriber time for what it got first, and disconnects one that reads nothing', async () => {
    const clock = new FakeClock();
    const publisher = new NdjsonPublisher({ subscribers: 2, perAddress: 1, backlogBytes: 1_000, behindMs: 60_000 }, clock);
    const port = await serve((_request, response) => void publisher.add(response, [{ first: 'x'.repeat(20_000_000) }]));
    const reader = connect(port, '127.0.0.1', () => reader.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    reader.pause();
    ends.push(async () => reader.destroy());
    await until('it is there', () => publisher.size === 1);
    for (let second = 0; second < 60; second += 1) {
      publisher.publish([{ second }]);
      await clock.advance(1_000);
    }
    expect(publisher.size).toBe(1);
    publisher.publish([{ second: 60 }]);
    await clock.advance(1_000);
    publisher.publish([{ second: 61 }]);
    await until('it is disconnected', () => publisher.size === 0);
  });
});
