import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.ts';
import { type ConnectionBounds, ConnectionLimits } from './connection-limits.ts';
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
export interface HttpLimits extends ConnectionBounds {
  /** How long the headers of a request may take, in milliseconds. */
  readonly headersMs: number;
}

/** Far more than the proxies of a pool, two operators, the kubelet and a monitoring system keep open. */
const LIMITS: HttpLimits = { connections: 256, perAddress: 32, headersMs: 10_000 };

/**
 * Serves a few fixed paths.
 *
 * @param routes by path for GET and HEAD, by `METHOD path` for anything else
 * @param limits beyond them the connection is closed that has been idle for longest
 * @throws CccamError CCP_SETTING_INVALID when the port is taken
 */
export async function serveHttp(at: HttpEndpoint, routes: ReadonlyMap<string, Route>, limits: HttpLimits = LIMITS): Promise<HttpServer> {
  const connections = new ConnectionLimits(limits);
  const times = { headersTimeout: limits.headersMs, connectionsCheckingInterval: Math.ceil(limits.headersMs / 2) };
  const server = createServer(times, (request, response) => {
    // A client that sends requests before the answer could have thousands of answers made with one packet. None of ours does.
    if (!connections.begin(request.socket)) return void request.socket.destroy();
    response.once('close', () => connections.end(request.socket));
    if (!isMeantFor(at.host, request)) return sendText(response, 421, 'expected a request for this machine\n');
    if (hasBody(request)) response.shouldKeepAlive = false; // else one that never ends would keep the connection after the answer
    answer(routes, request, response).catch((thrown: unknown) => {
      response.statusCode = 500;
      response.end(`${messageOf(thrown)}\n`);
    });
  });
  server.requestTimeout = 0; // a link is a request that lasts as long as its pod; headers still have their time limit
  server.on('connection', (socket) => connections.opened(socket));
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

/**
 * On loopback only names of this machine are answered: a web page that a user here looks at could have its own name lead to 127.0.0.1, and
 * its scripts read what is served (DNS rebinding).
 */
function isMeantFor(host: string, { headers }: IncomingMessage): boolean {
  if (!/^(127\.|::1$)/.test(host)) return true;
  if (headers.host === undefined) return true; // no browser leaves it out
  const name = headers.host.replace(/:[0-9]+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(\.[0-9]{1,3}){3}$/.test(name);
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

/** Metrics are summed up this often at most, in milliseconds, however many ask. */
const METRICS_MS = 1_000;

/** Tells metrics. */
export function metricsRoute(registry: { readonly contentType: string; metrics(): Promise<string> }, clock: Clock): Route {
  let summed: { readonly at: number; readonly text: Promise<string> } | null = null;
  return async (_request, response) => {
    const now = clock.monotonic();
    if (summed === null || now - summed.at >= METRICS_MS) summed = { at: now, text: registry.metrics() };
    sendText(response, 200, await summed.text, registry.contentType);
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
