import type { IncomingMessage, ServerResponse } from 'node:http';
import { Bell, type Clock, systemClock } from '../runtime/clock.ts';
import { metricsRoute, type Route, sendText, serveHttp } from '../runtime/http-server.ts';
import { createLogger, errorFields, type Logger } from '../runtime/logger.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { type BackendLine, LINK_HEARTBEAT_MS, LINK_PATH } from '../wire/agent-link.ts';
import { PRE_STOP_PATH, readPreStopCall } from '../wire/pre-stop.ts';
import { BackendMetrics } from './backend-metrics.ts';
import { type BackendState, drainBegins, drainOver, mayEnd, UNSEEN, withRouting, withSockets } from './backend-state.ts';
import { ProxyLinks } from './proxy-links.ts';
import { readSockets, type SocketCounts } from './socket-table.ts';

/** Options of `cccam-operator backend-agent`. */
export interface BackendAgentOptions {
  /** CCcam port of the server beside it. */
  readonly port: number;
  readonly http: { readonly host: string; readonly port: number };
  /** What a drain must be asked with. */
  readonly drainKey: string;
  /** What a link must be asked with. */
  readonly linkKey: string;
  readonly logLevel: string;
}

/** How often the sockets are counted: rarely while it serves, often while a drain waits for the last session. */
const LOOK_MS = { serving: 1_000, draining: 200 } as const;
const LOOK_APART_MS = 50;
/** At the end of a pod the kubelet calls every container's hook at once; a helper's call that is alone for so long is a restart of it. */
const ALONE_MS = 2_000;

/**
 * Watches the server beside it until SIGTERM: counts its sockets, tells the proxies when its pod terminates, and answers the kubelet when no session
 * is left.
 *
 * @returns the exit code
 * @throws CccamError CCP_SETTING_INVALID when its port is taken
 */
export async function backendAgent(options: BackendAgentOptions, clock: Clock = systemClock): Promise<number> {
  const log = createLogger(options.logLevel, { process: 'backend-agent', port: options.port });
  const shutdown = new Shutdown();
  const agent = new BackendAgent(options, clock, log, async () => await readSockets(options.port));
  const http = await serveHttp({ ...options.http, option: '--http' }, agent.routes());
  log.info({ http: http.port }, 'listening');
  await agent.run(shutdown.stopping);
  await http.close();
  shutdown.dispose();
  return 0;
}

/** The agent itself. */
export class BackendAgent {
  readonly #options: BackendAgentOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #read: () => Promise<SocketCounts>;
  readonly #bell = new Bell();
  readonly #metrics = new BackendMetrics();
  readonly #links: ProxyLinks;
  #state: BackendState = UNSEEN;
  #published = '';
  #publishedAt = Number.NEGATIVE_INFINITY;

  /** @param read counts the sockets of the server's port */
  constructor(options: BackendAgentOptions, clock: Clock, log: Logger, read: () => Promise<SocketCounts>) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#read = read;
    this.#links = new ProxyLinks({
      first: this.#line(),
      key: options.linkKey,
      clock,
      onChange: () => this.#bell.ring(),
      onLost: (error) => log.warn(errorFields(error), 'the link of a proxy cannot be used'),
    });
  }

  /** Counts the sockets and tells the proxies, again and again until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await this.#clock.sleep(LOOK_APART_MS, signal); // however often the bell rings
      await this.#bell.wait(this.#clock, this.#state.drain === null ? LOOK_MS.serving : LOOK_MS.draining, signal);
    }
  }

  routes(): ReadonlyMap<string, Route> {
    return new Map<string, Route>([
      [`POST ${LINK_PATH}`, async (request, response) => await this.#links.accept(request, response)],
      [PRE_STOP_PATH, async (request, response) => await this.#drain(request, response)],
      ['/listening', (_request, response) => this.#listening(response)],
      ['/healthz', (_request, response) => sendText(response, 200, 'ok\n')],
      ['/metrics', metricsRoute(this.#metrics.registry)],
    ]);
  }

  async #look(): Promise<void> {
    try {
      const begun = this.#clock.monotonic();
      const sockets = await this.#read();
      this.#state = withSockets(this.#state, sockets, begun); // the state as it is now: a drain may have begun meanwhile
    } catch (thrown) {
      this.#log.error(errorFields(thrown), 'cannot read the sockets; the last counts stand');
    }
    this.#updateRouting();
    this.#metrics.update(this.#state, this.#links.size);
    this.#publish();
  }

  #updateRouting(): void {
    this.#state = withRouting(this.#state, this.#links.size === 0 || this.#links.routing, this.#clock.monotonic());
  }

  /** What changes where clients go is published at once, numbers with the next heartbeat. */
  #publish(): void {
    const line = this.#line();
    const state = String(line.draining);
    const now = this.#clock.monotonic();
    if (state === this.#published && now - this.#publishedAt < LINK_HEARTBEAT_MS) return;
    this.#published = state;
    this.#publishedAt = now;
    this.#links.publish(line);
  }

  #line(): BackendLine {
    const { drain } = this.#state;
    const deadlineInMs = drain?.close === true ? Math.max(0, Math.round(drain.deadlineAt - this.#clock.monotonic())) : null;
    return { draining: drain !== null, deadlineInMs };
  }

  /** Answers when the server's container may end. */
  async #drain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = readPreStopCall(request.url, request.headers, this.#options.drainKey);
    if (call === 'forbidden') return sendText(response, 403, 'the key is missing or wrong\n');
    if (call === 'unreadable') return sendText(response, 400, 'expected deadlineMs in milliseconds, and close\n');
    const given = new AbortController();
    response.once('close', () => given.abort());
    if (call.helper === true && !(await this.#ends(given.signal))) return sendText(response, 200, 'only this container is terminating\n');
    this.#state = drainBegins(this.#state, call, this.#clock.monotonic());
    this.#log.info({ sessions: this.#state.sockets.established, ...call }, 'draining');
    this.#publish();
    this.#bell.ring();
    do {
      await this.#clock.sleep(LOOK_MS.draining, given.signal);
      this.#updateRouting();
    } while (!given.signal.aborted && !mayEnd(this.#state, this.#clock.monotonic()));
    this.#state = drainOver(this.#state, this.#clock.monotonic());
    this.#log.info({ sessions: this.#state.sockets.established, asked: !given.signal.aborted }, 'drained');
    if (!given.signal.aborted) sendText(response, 200, 'drained\n');
  }

  /** Whether the server itself is being ended. */
  async #ends(signal: AbortSignal): Promise<boolean> {
    const until = this.#clock.monotonic() + ALONE_MS;
    while (this.#state.drain === null && this.#clock.monotonic() < until && !signal.aborted)
      await this.#clock.sleep(LOOK_MS.draining, signal);
    return this.#state.drain !== null;
  }

  #listening(response: ServerResponse): void {
    const listens = this.#state.sockets.listening > 0;
    sendText(response, listens ? 200 : 503, listens ? 'ok\n' : 'nothing listens on the CCcam port\n');
  }
}
