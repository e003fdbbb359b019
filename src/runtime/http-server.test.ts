import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { until } from '../../test/support/until.ts';
import { type HttpServer, metricsRoute, type Route, sendText, serveHttp } from './http-server.ts';

let http: HttpServer;
/** Requests that are never answered. */
let asked: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  asked = 0;
  const routes = new Map<string, Route>([
    ['/here', (_request, response) => sendText(response, 200, 'ok\n')],
    [
      '/slow',
      () => {
        asked += 1;
      },
    ],
  ]);
  http = await serveHttp({ host: '127.0.0.1', port: 0, option: '--http' }, routes, { connections: 5, perAddress: 3, headersMs: 200 });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await http.close();
});

interface Talk {
  readonly socket: Socket;
  /** Everything that was said to it. */
  heard: string;
  ended: boolean;
}

/** A connection from that address that has said that much. */
async function talk(said: string, from = '127.0.0.1'): Promise<Talk> {
  const socket = connect({ host: '127.0.0.1', port: http.port, localAddress: from });
  sockets.push(socket);
  const its: Talk = { socket, heard: '', ended: false };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    its.heard += text;
  });
  socket.on('error', () => undefined); // what the other side closes may come as a reset
  socket.on('close', () => {
    its.ended = true;
  });
  await once(socket, 'connect');
  socket.write(said);
  return its;
}

const REQUEST = 'GET /here HTTP/1.1\r\nhost: localhost\r\n';

async function isServed(from: string): Promise<Talk> {
  const its = await talk(`${REQUEST}\r\n`, from);
  await until('it is answered', () => its.heard.includes('200 OK'));
  return its;
}

async function isClosed(its: Talk): Promise<void> {
  await until('it is closed', () => its.ended);
}

/** Connections that say nothing, or half a request. */
async function idle(count: number, from: string, said = ''): Promise<Talk[]> {
  const all: Talk[] = [];
  for (let index = 0; index < count; index += 1) all.push(await talk(said, from));
  return all;
}

describe('an HTTP server', () => {
  it('serves a newcomer, and closes the connection of its address that has been idle for longest', async () => {
    const [first, second, third] = await idle(3, '127.0.0.2');
    const its = await isServed('127.0.0.2');
    await isClosed(first as Talk);
    expect([second?.ended, third?.ended, its.ended]).toEqual([false, false, false]);
  });

  it('is not shut by many addresses that open connections and say little', async () => {
    const all = [...(await idle(3, '127.0.0.2')), ...(await idle(3, '127.0.0.3', REQUEST))];
    for (let time = 0; time < 3; time += 1) (await isServed('127.0.0.4')).socket.destroy();
    expect(all.filter(({ ended }) => ended).length).toBeGreaterThan(0);
  });

  it('keeps what it is answering: a newcomer beyond the bounds goes then', async () => {
    const busy = [];
    for (let index = 0; index < 3; index += 1) busy.push(await talk('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n', '127.0.0.2'));
    await until('they are being answered', () => asked === 3);
    await isClosed(await talk(`${REQUEST}\r\n`, '127.0.0.2'));
    expect(busy.map(({ ended }) => ended)).toEqual([false, false, false]);
    await isServed('127.0.0.3');
  });

  it('counts a connection again as idle once it was answered', async () => {
    const first = await isServed('127.0.0.2');
    await idle(2, '127.0.0.2');
    await isServed('127.0.0.2');
    await isClosed(first);
  });

  it.each(['localhost', 'LOCALHOST:80', '127.0.0.1', '127.3.2.1:9321', '[::1]:9321'])(
    'answers on loopback whoever calls it %s',
    async (host) => {
      const its = await talk(`GET /here HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      await until('it is answered', () => its.heard.includes('200 OK'));
    },
  );

  it.each(['evil.example', 'evil.example:9321', '127.0.0.1.evil.example', 'localhost.evil.example', ''])(
    'answers nobody who came by the name %j, which a web page may have made lead here',
    async (host) => {
      const its = await talk(`GET /here HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      await until('it is answered', () => its.heard !== '');
      expect(its.heard).toContain('421');
    },
  );

  it('does not wait for headers that never end', async () => {
    const its = await talk(REQUEST);
    await until('it is closed', () => its.ended);
    expect(its.heard).toContain('408');
  });

  it.each(['content-length: 5', 'transfer-encoding: chunked'])(
    'does not keep a connection whose request never ends after its answer: %s',
    async (header) => {
      const its = await talk(`POST /nowhere HTTP/1.1\r\nhost: localhost\r\n${header}\r\n\r\n`);
      await until('it is closed', () => its.ended);
      expect(its.heard).toContain('404');
    },
  );

  it('answers no second request before the first one, and keeps serving the others', async () => {
    const its = await talk(`${REQUEST}\r\n`.repeat(1_000));
    await until('it is closed', () => its.ended);
    expect(its.heard.split('200 OK').length).toBeLessThanOrEqual(2);
    await isServed('127.0.0.2');
  });

  it('keeps a connection whose requests are whole', async () => {
    const its = await isServed('127.0.0.1');
    its.heard = '';
    its.socket.write(`${REQUEST}\r\n`);
    await until('it is answered again', () => its.heard.includes('200 OK'));
    expect(its.ended).toBe(false);
  });
});

describe('metrics', () => {
  it('are summed up once a second, however many ask', async () => {
    const [clock, answers] = [new FakeClock(), [] as string[]];
    const sums: number[] = [];
    const registry = { contentType: 'text/plain', metrics: async () => `sums ${sums.push(0)}\n` };
    const route = metricsRoute(registry, clock);
    const ask = async (): Promise<void> => {
      const response = { writeHead: () => undefined, end: (text: string) => answers.push(text) };
      await route({} as Parameters<Route>[0], response as unknown as Parameters<Route>[1]);
    };
    await Promise.all([ask(), ask(), ask()]);
    await clock.advance(999);
    await ask();
    await clock.advance(1);
    await ask();
    expect(answers).toEqual(['sums 1\n', 'sums 1\n', 'sums 1\n', 'sums 1\n', 'sums 2\n']);
  });
});
