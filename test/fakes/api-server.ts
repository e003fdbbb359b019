import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ApiServerAccess } from '../../src/kube/api-server-access.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { TokenBucket } from '../../src/kube/token-bucket.ts';
import { Transport, type TransportOptions } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';

/** One call as the fake server got it. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Answer = (call: Call, response: ServerResponse) => void | Promise<void>;

/** The far side of a fault: an API server that answers whatever a test wants, breaks off, hangs and lies. */
export class FakeApiServer {
  readonly calls: Call[] = [];
  readonly sockets = new Set<Socket>();
  /** Connections ever made. */
  connections = 0;
  answer: Answer;
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** @param port of one that was stopped, to come back as */
  static async start(answer: Answer, port = 0): Promise<FakeApiServer> {
    const fake = new FakeApiServer(answer);
    await new Promise<void>((resolve) => fake.#server.listen(port, '127.0.0.1', resolve));
    return fake;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  calledWith(method: string, part = ''): Call[] {
    return this.calls.filter((call) => call.method === method && call.path.includes(part));
  }

  get watches(): Call[] {
    return this.calls.filter((call) => call.query.get('watch') === 'true');
  }

  /** Calls for whole lists; one object at most is only asked for to learn the version. */
  get lists(): Call[] {
    return this.calls.filter((call) => call.method === 'GET' && call.query.has('limit') && call.query.get('limit') !== '1');
  }

  /** A transport that speaks to this server. */
  transport(options: Partial<TransportOptions> = {}, access: Partial<ApiServerAccess> = {}): Transport {
    return new Transport({
      clock: systemClock,
      access: {
        server: this.url,
        namespace: null,
        credentials: async () => ({ headers: { authorization: 'Bearer fake' }, tls: {} }),
        forget: () => undefined,
        ...access,
      },
      bucket: new TokenBucket(systemClock, 1_000, 1_000),
      userAgent: 'test',
      ...options,
    });
  }

  client(options: Partial<TransportOptions> = {}): KubeClient {
    return new KubeClient(this.transport(options));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const call = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? null : JSON.parse(text),
    };
    this.calls.push(call);
    await this.answer(call, response);
  }
}

/** Answers with JSON. */
export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Answers with a `metav1.Status`. */
export function refuse(response: ServerResponse, code: number, reason: string, headers: Record<string, string> = {}): void {
  json(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `refused with ${reason}` }, headers);
}

/** Writes one line of a watch. */
export function tell(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

/** A ConfigMap as it stands in an answer. */
export function aConfigMap(name: string, resourceVersion: string, changes: { uid?: string; data?: Record<string, string> } = {}) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'ns', uid: changes.uid ?? `uid-${name}`, resourceVersion, managedFields: [{ manager: 'x' }] },
    data: changes.data ?? {},
  };
}

/** Waits until something holds, looking as often as the event loop turns. @throws Error after twenty seconds */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
