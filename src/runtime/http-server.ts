import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { CccamError, messageOf, systemCode } from './errors.ts';
import { hostPort } from './host-port.ts';
import { listenAddress } from './listen-address.ts';

/** Answers one path. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server that listens. */
export interface HttpServer {
  /** The port that was really taken; differs from the asked one where that was 0. */
  readonly port: number;
  close(): Promise<void>;
}

/** Where a server listens. */
export interface HttpEndpoint {
  /** `::` means every address, of IPv4 and IPv6; `run` uses 127.0.0.1, so that no other machine can connect. */
  readonly host: string;
  /** 0 takes any. */
  readonly port: number;
  /** The flag that sets it, for the remedy. */
  readonly option: string;
}

/** What those who ask may take up, so that one of them cannot keep out the others. */
export interface HttpLimits {
  /** Open connections in all. */
  readonly connections: number;
  /** Open connections from one address. */
  readonly perAddress: number;
  /** How long the headers of a request may take, in milliseconds. */
  readonly headersMs: number;
}

/** Far more than the proxies of a pool, two operators, the kubelet and a monitoring system keep open. */
const LIMITS: HttpLimits = { connections: 256, perAddress: 32, headersMs: 10_000 };

/**
 * Serves a few fixed paths.
 *
 * @param routes by path for GET and HEAD, by `METHOD path` for anything else
 * @param limits whatever is above them is closed at once
 * @throws CccamError CCP_SETTING_INVALID when the port is taken
 */
export async function serveHttp(at: HttpEndpoint, routes: ReadonlyMap<string, Route>, limits: HttpLimits = LIMITS): Promise<HttpServer> {
  const busy = new WeakSet<Socket>();
  const times = { headersTimeout: limits.headersMs, connectionsCheckingInterval: Math.ceil(limits.headersMs / 2) };
  const server = createServer(times, (request, response) => {
    // A client that sends requests before the answer could have thousands of answers made with one packet. None of ours does.
    if (busy.has(request.socket)) return void request.socket.destroy();
    busy.add(request.socket);
    response.once('close', () => busy.delete(request.socket));
    if (hasBody(request)) response.shouldKeepAlive = false; // else one that never ends would keep the connection after the answer
    answer(routes, request, response).catch((thrown: unknown) => {
      response.statusCode = 500;
      response.end(`${messageOf(thrown)}\n`);
    });
  });
  server.requestTimeout = 0; // a link is a request that lasts as long as its pod; headers still have their time limit
  server.maxConnections = limits.connections;
  server.on('connection', atMost(limits.perAddress));
  await listen(server, { ...at, host: await listenAddress(at.host) });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Closes what an address opens beyond so many connections. */
function atMost(perAddress: number): (socket: Socket) => void {
  const open = new Map<string, number>();
  return (socket) => {
    const address = socket.remoteAddress ?? ''; // asked for now: a closed socket has forgotten it
    const count = (open.get(address) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

async function answer(routes: ReadonlyMap<string, Route>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const route = routes.get(reads ? path : `${request.method} ${path}`);
  if (route !== undefined) return await route(request, response);
  if (routes.has(path)) return sendText(response, 405, 'only GET\n');
  return sendText(response, 404, 'not found\n');
}

/** Tells metrics; however many ask at the same time, they are summed up once. */
export function metricsRoute(registry: { readonly contentType: string; metrics(): Promise<string> }): Route {
  let summing: Promise<string> | null = null;
  return async (_request, response) => {
    summing ??= registry.metrics().finally(() => {
      summing = null;
    });
    sendText(response, 200, await summing, registry.contentType);
  };
}

/** Sends a short answer. */
export function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
}

async function listen(server: Server, { host, option, port }: HttpEndpoint): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((thrown: unknown) => {
    throw new CccamError('CCP_SETTING_INVALID', {
      subject: hostPort(host, port),
      message: `cannot be listened on (${systemCode(thrown) ?? messageOf(thrown)})`,
      remedy: `Choose another port with ${option}.`,
      cause: thrown,
    });
  });
}
