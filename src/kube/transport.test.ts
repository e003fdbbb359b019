import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, eventually, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { FakeClock } from '../../test/fakes/clock.ts';
import { KubeApiError } from './api-error.ts';
import { TokenBucket } from './token-bucket.ts';
import { watchStream } from './watch-stream.ts';

let server: FakeApiServer;
const signal = new AbortController().signal;
const GET = { method: 'GET', path: '/api/v1/namespaces', signal } as const;

async function serving(answer: Answer): Promise<FakeApiServer> {
  server = await FakeApiServer.start(answer);
  return server;
}

async function failure(promise: Promise<unknown>): Promise<KubeApiError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof KubeApiError)) throw new Error(`expected a KubeApiError, got ${String(thrown)}`);
  return thrown;
}

afterEach(async () => {
  await server.stop();
});

describe('Transport', () => {
  it('keeps its connections: twenty calls in a row take one', async () => {
    const { connections } = await serving((_, response) => json(response, 200, {}));
    expect(connections).toBe(0);
    const transport = server.transport();
    for (let call = 0; call < 20; call += 1) await transport.request(GET);
    expect(server.connections).toBe(1);
    transport.close();
  });

  it('gives up a call that is never answered, and takes a fresh connection afterwards', async () => {
    let silent = true;
    await serving((_, response) => (silent ? undefined : json(response, 200, { fine: true })));
    const transport = server.transport();
    const error = await failure(transport.request({ ...GET, timeoutMs: 50 }));
    expect([error.status, error.code, error.retryable]).toEqual([null, 'CCP_API_UNREACHABLE', true]);
    expect(error.message).toContain('it took too long');
    silent = false;
    await expect(transport.request(GET)).resolves.toEqual({ fine: true });
    expect(server.connections).toBe(2);
  });

  it('gives up an answer that never ends', async () => {
    await serving((_, response) => {
      response.writeHead(200);
      response.write('{');
    });
    expect((await failure(server.transport().request({ ...GET, timeoutMs: 50 }))).status).toBeNull();
  });

  it('says what a refusal means, in the same words for every kind of refusal', async () => {
    const answers: readonly [number, string | object, string, boolean][] = [
      [404, { kind: 'Status', code: 404, reason: 'NotFound', message: 'gone' }, 'NotFound', false],
      [403, { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' }, 'Forbidden', false],
      [409, { kind: 'Status', code: 409, reason: 'Conflict', message: 'no' }, 'Conflict', true],
      [422, { kind: 'Status', code: 422, reason: 'Invalid', message: 'no' }, 'Invalid', false],
      [429, 'too many requests', 'Http429', true],
      [502, '<html>bad gateway</html>', 'Http502', true],
      [500, '', 'Http500', true],
    ];
    await serving((call, response) => {
      const [status, body] = answers[Number(call.query.get('n'))] ?? [500, ''];
      response.writeHead(status);
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    for (const [index, [status, , reason, retryable]] of answers.entries()) {
      const error = await failure(server.transport().request({ ...GET, query: { n: String(index) } }));
      expect([error.status, error.reason, error.retryable], String(status)).toEqual([status, reason, retryable]);
    }
  });

  it('never carries a whole answer in an error', async () => {
    await serving((_, response) => {
      response.writeHead(500);
      response.end('x'.repeat(100_000));
    });
    expect((await failure(server.transport().request(GET))).message.length).toBeLessThan(500);
  });

  it('waits as long as Retry-After says before the next call, from any caller', async () => {
    const clock = new FakeClock();
    await serving((_, response) =>
      server.calls.length === 1 ? refuse(response, 429, 'TooManyRequests', { 'retry-after': '3' }) : json(response, 200, {}),
    );
    const transport = server.transport({ bucket: new TokenBucket(clock, 1_000, 1_000) });
    expect((await failure(transport.request(GET))).retryAfterMs).toBe(3_000);
    const next = transport.request(GET);
    await clock.advance(2_999);
    expect(server.calls).toHaveLength(1);
    await clock.advance(1);
    await next;
    expect(server.calls).toHaveLength(2);
  });

  it('reads its credentials again after a 401, so that a rotated token heals by itself', async () => {
    let token = 'old';
    let remembered: string | undefined;
    await serving((call, response) =>
      call.headers.authorization === 'Bearer new' ? json(response, 200, {}) : refuse(response, 401, 'Unauthorized'),
    );
    const transport = server.transport(
      {},
      {
        credentials: async () => {
          remembered ??= token;
          return { headers: { authorization: `Bearer ${remembered}` }, tls: {} };
        },
        forget: () => {
          remembered = undefined;
        },
      },
    );
    token = 'old';
    expect((await failure(transport.request(GET))).retryable).toBe(true);
    token = 'new';
    await transport.request(GET);
  });

  it('sends nothing when its guard says no, not even after waiting for its turn', async () => {
    await serving((_, response) => json(response, 200, {}));
    const guard = (): void => {
      throw new Error('not any more');
    };
    await expect(server.transport().request({ ...GET, method: 'PATCH', body: {}, guard })).rejects.toThrow('not any more');
    expect(server.calls).toHaveLength(0);
  });

  it('repeats a call whose kept connection was closed under it, and never one that makes something', async () => {
    await serving((_, response) => json(response, 200, {}));
    const transport = server.transport();
    await transport.request(GET);
    server.answer = (_, response) => (server.calls.length === 2 ? void response.socket?.resetAndDestroy() : json(response, 200, {}));
    await transport.request(GET);
    expect(server.calls).toHaveLength(3);
    server.answer = (_, response) => void response.socket?.resetAndDestroy();
    await failure(transport.request({ ...GET, method: 'POST', body: {} }));
    expect(server.calledWith('POST')).toHaveLength(1);
  });

  it('does not repeat a write for which there is no leave any more', async () => {
    await serving((_, response) => json(response, 200, {}));
    const transport = server.transport();
    await transport.request(GET);
    let asked = 0;
    const guard = (): void => {
      asked += 1;
      if (asked > 1) throw new Error('not any more');
    };
    server.answer = (_, response) => void response.socket?.resetAndDestroy();
    await failure(transport.request({ ...GET, method: 'PATCH', body: {}, guard }));
    expect(server.calledWith('PATCH')).toHaveLength(1);
  });

  it('gives each stream a connection of its own, and a watch ends it after silence', async () => {
    await serving((call, response) => {
      if (call.query.get('watch') === null) return json(response, 200, {});
      response.writeHead(200);
      response.flushHeaders();
    });
    const transport = server.transport();
    const watch = { path: '/w', selectors: {}, resourceVersion: '1', timeoutSeconds: 60, idleMs: 100 };
    const watches = [1, 2].map(() => failure(watchStream(transport, watch, signal).next()));
    await eventually('both are open', () => server.connections === 2);
    await transport.request(GET);
    expect(server.connections).toBe(3);
    for (const error of await Promise.all(watches))
      expect([error.reason, error.message]).toEqual(['Silent', expect.stringContaining('silent')]);
  });

  it('gives up a watch that is refused with words that never end', async () => {
    await serving((_, response) => {
      response.writeHead(500);
      response.write('{');
    });
    const error = await failure(server.transport({ timeoutMs: 50 }).stream('/w', {}, signal));
    expect([error.status, error.message]).toEqual([null, expect.stringContaining('it took too long')]);
  });

  it('reads no answer of more than 16 MiB', async () => {
    const mebibyte = Buffer.alloc(1_048_576, ' ');
    await serving(async (_call, response) => {
      response.setMaxListeners(100).writeHead(200);
      for (let sent = 0; sent <= 66 && !response.destroyed; sent += 1) {
        if (!response.write(mebibyte)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
      }
      response.end('{}');
    });
    expect((await failure(server.transport().request(GET))).message).toContain('larger than');
  });

  it('ends a call at once when its caller goes', async () => {
    await serving(() => undefined);
    const end = new AbortController();
    const call = failure(server.transport().request({ ...GET, signal: end.signal }));
    await eventually('the call arrives', () => server.calls.length === 1);
    end.abort();
    expect((await call).status).toBeNull();
  });
});

describe('TokenBucket', () => {
  it('lets a burst through at once and the rest at its pace', async () => {
    await serving(() => undefined);
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, 10, 5);
    let passed = 0;
    for (let caller = 0; caller < 15; caller += 1) {
      void bucket.take(signal).then(() => {
        passed += 1;
      });
    }
    await clock.advance(0);
    expect(passed).toBe(5);
    await clock.advance(500);
    expect(passed).toBe(10);
    await clock.advance(500);
    expect(passed).toBe(15);
  });
});
