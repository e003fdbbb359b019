import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { throughout, until } from '../../test/support/until.ts';
import { systemClock } from '../runtime/clock.ts';
import { type HttpServer, serveHttp } from '../runtime/http-server.ts';
import { createLogger } from '../runtime/logger.ts';
import { LINK_PATH } from '../wire/agent-link.ts';
import { preStopHook } from '../wire/pre-stop.ts';
import { BackendAgent } from './agent.ts';
import { UNREPORTED_MS } from './backend-state.ts';
import { NO_SOCKETS, type SocketCounts } from './socket-table.ts';

const FULL: SocketCounts = { ...NO_SOCKETS, listening: 1, established: 5 };
let http: HttpServer;
let end: AbortController;
let running: Promise<void>;

afterEach(async () => {
  end.abort();
  await running;
  await http.close();
});

/** An agent whose looks at the sockets the test answers. @param node address of its node; the test calls from 127.0.0.1 */
async function anAgent(read: () => Promise<SocketCounts>, node = '127.0.0.1'): Promise<void> {
  const options = { port: 12_000, http: { host: '127.0.0.1', port: 0 }, node: new Set([node]), logLevel: 'silent' };
  const agent = new BackendAgent(options, systemClock, createLogger('silent', {}), read);
  http = await serveHttp({ host: '127.0.0.1', port: 0, option: '--http' }, agent.routes());
  end = new AbortController();
  running = agent.run(end.signal);
}

/** Asks for a drain as the kubelet does. */
async function drain(helper = false, signal?: AbortSignal): Promise<number> {
  const { httpGet } = preStopHook({ deadlineMs: 60_000, close: true, helper }, 9_322);
  return (await fetch(`http://127.0.0.1:${http.port}${httpGet.path}`, signal === undefined ? {} : { signal })).status;
}

async function says(draining: 0 | 1): Promise<boolean> {
  return (await (await fetch(`http://127.0.0.1:${http.port}/metrics`)).text()).includes(`cccam_backend_draining ${draining}`);
}

describe('a drain', () => {
  it('that begins in the middle of a look at the sockets is not forgotten, and waits until no session remains', async () => {
    let sockets = FULL;
    const looks: (() => void)[] = [];
    let slow = true;
    await anAgent(async () => {
      if (slow) await new Promise<void>((resolve) => looks.push(resolve));
      return sockets;
    });
    await until('it looks', () => looks.length === 1);
    let answered = false;
    const answer = drain().finally(() => {
      answered = true;
    });
    await fetch(`http://127.0.0.1:${http.port}/healthz`); // what was asked before is heard before
    slow = false;
    looks[0]?.();
    await until('it says so', async () => await says(1));
    await throughout('it waits', UNREPORTED_MS + 1_000, async () => !answered); // longer than for proxies that say nothing
    sockets = { ...FULL, established: 0 };
    expect(await answer).toBe(200);
  }, 20_000);

  it('is not begun by a helper that is restarted alone', async () => {
    await anAgent(async () => FULL);
    expect(await drain(true)).toBe(200);
    expect(await says(0)).toBe(true);
  });

  it('keeps a helper for as long as the server when the pod ends', async () => {
    let sockets = FULL;
    await anAgent(async () => sockets);
    let [helper, server] = [false, false];
    const answers = Promise.all([
      drain(true).finally(() => {
        helper = true;
      }),
      drain().finally(() => {
        server = true;
      }),
    ]);
    await throughout('both wait', UNREPORTED_MS + 1_000, async () => !helper && !server);
    sockets = { ...FULL, established: 0 };
    expect(await answers).toEqual([200, 200]);
  }, 20_000);

  it('is taken back that is given up within a second while the server continues', async () => {
    await anAgent(async () => FULL);
    const heard: string[] = [];
    const link = request({ host: '127.0.0.1', port: http.port, path: LINK_PATH, method: 'POST' }, (response) => {
      response.on('data', (chunk: Buffer) => heard.push(chunk.toString())).on('error', () => undefined);
    });
    link.on('error', () => undefined).flushHeaders();
    await until('a proxy listens', () => heard.length === 1);
    const given = new AbortController();
    const call = drain(false, given.signal).catch(() => 0);
    await until('the proxy is told', () => heard.at(-1)?.includes('"draining":true') === true);
    given.abort();
    await call;
    await until('the proxy is told that it serves', () => heard.at(-1)?.includes('"draining":false') === true);
    link.destroy();
  });

  it('is not begun by a helper that is restarted alone while another pod holds a call', async () => {
    await anAgent(async () => FULL, '127.0.0.9');
    const given = new AbortController();
    const held = drain(false, given.signal).catch(() => 0);
    await until('it waits', async () => (await says(0)) && true);
    const { httpGet } = preStopHook({ deadlineMs: 60_000, close: true, helper: true }, 9_322);
    const said = new Promise<string>((resolve, reject) => {
      const call = { host: '127.0.0.1', port: http.port, path: httpGet.path, localAddress: '127.0.0.9' };
      request(call, (response) => response.on('data', (chunk: Buffer) => resolve(chunk.toString())))
        .on('error', reject)
        .end();
    });
    expect(await said).toContain('only this container');
    expect(await says(0)).toBe(true);
    given.abort();
    await held;
  }, 20_000);

  it('is not announced when it is asked for from elsewhere than the node, and is answered when no session remains', async () => {
    let sockets = FULL;
    await anAgent(async () => sockets, '192.0.2.1');
    let answers = 0;
    const calls = Promise.all([drain(), drain(true)].map(async (call) => await call.finally(() => (answers += 1))));
    await throughout('nothing is announced', UNREPORTED_MS + 1_000, async () => answers === 0 && (await says(0)));
    sockets = { ...FULL, established: 0 };
    expect(await calls).toEqual([200, 200]);
  }, 20_000);
});
