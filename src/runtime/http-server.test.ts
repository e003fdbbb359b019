import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { type HttpServer, sendText, serveHttp } from './http-server.ts';

let http: HttpServer;
const sockets: Socket[] = [];

beforeEach(async () => {
  const routes = new Map([['/here', (_request: unknown, response: Parameters<typeof sendText>[0]) => sendText(response, 200, 'ok\n')]]);
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

const REQUEST = 'GET /here HTTP/1.1\r\nhost: here\r\n';

async function isServed(from: string): Promise<Talk> {
  const its = await talk(`${REQUEST}\r\n`, from);
  await until('it is answered', () => its.heard.includes('200 OK'));
  return its;
}

async function isClosed(from: string): Promise<void> {
  const its = await talk(`${REQUEST}\r\n`, from);
  await until('it is closed', () => its.ended);
  expect(its.heard).toBe('');
}

describe('an HTTP server', () => {
  it('closes what one address opens beyond its share, and keeps serving the others', async () => {
    const first = await isServed('127.0.0.2');
    await isServed('127.0.0.2');
    await isServed('127.0.0.2');
    await isClosed('127.0.0.2');
    await isServed('127.0.0.3');
    first.socket.destroy();
    await until('its place is free again', async () => {
      const its = await talk(`${REQUEST}\r\n`, '127.0.0.2');
      await until('it is answered or closed', () => its.ended || its.heard !== '');
      return its.heard.includes('200 OK');
    });
  });

  it('closes what is opened beyond what it keeps in all', async () => {
    for (const address of [2, 3, 4, 5, 6]) await isServed(`127.0.0.${address}`);
    await isClosed('127.0.0.7');
  });

  it('does not wait for headers that never end', async () => {
    const its = await talk(REQUEST);
    await until('it is closed', () => its.ended);
    expect(its.heard).toContain('408');
  });

  it.each(['content-length: 5', 'transfer-encoding: chunked'])(
    'does not keep a connection whose request never ends after its answer: %s',
    async (header) => {
      const its = await talk(`POST /nowhere HTTP/1.1\r\nhost: here\r\n${header}\r\n\r\n`);
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
