import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Access } from './control-plane.ts';

/** What becomes of a call: null lets it through. */
export type Fault = (call: IncomingMessage, response: ServerResponse) => 'answered' | null;

/** Stands between an operator and the real API server, and does what networks and busy servers do. Speaks plain HTTP to the operator. */
export class FaultProxy {
  fault: Fault = () => null;
  /** How long each call takes longer, in milliseconds. */
  delayMs = 0;
  /** Calls by `method path`, to see what is hot. */
  readonly calls: { readonly method: string; readonly path: string; readonly watch: boolean; readonly at: number }[] = [];
  readonly #server: Server;
  readonly #access: Access;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();

  private constructor(access: Access) {
    this.#access = access;
    this.#server = createServer((call, response) => void this.#serve(call, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
  }

  static async start(access: Access): Promise<FaultProxy> {
    const proxy = new FaultProxy(access);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Resets every watch in the middle of a line. */
  resetWatches(): void {
    for (const response of this.#watches) {
      response.write('{"type":"MODIFIED","object":{"metadata":{"na', () => response.socket?.resetAndDestroy());
    }
  }

  /** From now on, watches that are open tell nothing any more and are not closed either; new ones work. */
  blackHole(): void {
    for (const response of this.#watches) response.emit('hole');
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(call: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.delayMs > 0) await systemClock.sleep(this.delayMs);
    if (!response.destroyed) this.#forward(call, response);
  }

  #forward(call: IncomingMessage, response: ServerResponse): void {
    const watch = call.url?.includes('watch=true') === true;
    this.calls.push({ method: call.method ?? '', path: call.url ?? '', watch, at: performance.now() });
    if (this.fault(call, response) === 'answered') return;
    const options = {
      host: '127.0.0.1',
      port: this.#access.port,
      method: call.method,
      path: call.url,
      headers: { ...call.headers, host: `127.0.0.1:${this.#access.port}` },
      ca: readFileSync(this.#access.caFile),
    };
    const upstream = request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      let holed = false;
      if (watch) {
        this.#watches.add(response);
        response.once('hole', () => {
          holed = true;
        });
      }
      answer.on('data', (chunk: Buffer) => {
        if (!holed) response.write(chunk);
      });
      answer.on('end', () => {
        if (!holed) response.end();
      });
      answer.on('error', () => response.destroy());
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => {
      this.#watches.delete(response);
      upstream.destroy();
    });
    call.pipe(upstream);
  }
}
