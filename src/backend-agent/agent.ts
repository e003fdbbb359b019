import type { IncomingMessage, ServerResponse } from 'node:http';
import { Bell, type Clock, systemClock } from '../runtime/clock.ts';
import { metricsRoute, type Route, sendText, serveHttp } from '../runtime/http-server.ts';
import { createLogger, errorFields, type Logger } from '../runtime/logger.ts';
import { isFrom } from '../runtime/node-addresses.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { type BackendLine, LINK_HEARTBEAT_MS, LINK_PATH } from '../wire/agent-link.ts';
import { ForeignCalls } from '../wire/foreign-calls.ts';
import { HASTY_MS, PRE_STOP_PATH, type PreStopCall, readPreStopCall } from '../wire/pre-stop.ts';
import { BackendMetrics } from './backend-metrics.ts';
import { type BackendState, drainBegins, drainOver, drainTakenBack, mayEnd, UNSEEN, withRouting, withSockets } from './backend-state.ts';
import { ProxyLinks } from './proxy-links.ts';
import { readSockets, type SocketCounts } from './socket-table.ts';

/** Options of `cccam-operator backend-agent`. */
export interface BackendAgentOptions {
  /** CCcam port of the server beside it. */
  readonly port: number;
  readonly http: { readonly host: string; readonly port: number };
  /** Addresses of this node, from which its kubelet calls. */
  readonly node: ReadonlySet<string>;
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
  readonly #foreign: ForeignCalls;
  /** Those among them that are about the server. */
  #waiting = 0;
  #published = '';
  #publishedAt = Number.NEGATIVE_INFINITY;

  /** @param read counts the sockets of the server's port */
  constructor(options: BackendAgentOptions, clock: Clock, log: Logger, read: () => Promise<SocketCounts>) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#read = read;
    const said = 'a drain was asked for from elsewhere than this node; nothing is announced';
    this.#foreign = new ForeignCalls(clock, (from, more) => log.warn({ from, more }, said));
    this.#links = new ProxyLinks({
      first: this.#line(),
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
      ['/metrics', metricsRoute(this.#metrics.registry, this.#clock)],
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
    this.#state = withRouting(this.#state, this.#isRouting, this.#clock.monotonic());
  }

  get #isRouting(): boolean {
    return this.#links.size === 0 || this.#links.routing;
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
    const call = readPreStopCall(request.url);
    if (call === null) return sendText(response, 400, 'expected deadlineMs in milliseconds, and close\n');
    const given = new AbortController();
    response.once('close', () => given.abort());
    const isOfNode = isFrom(request, this.#options.node);
    const from = request.socket.remoteAddress ?? 'an unknown address';
    if (!isOfNode) this.#foreign.told(from);
    if (call.helper === true && !(await this.#ends(isOfNode, given.signal)))
      return sendText(response, 200, 'only this container is terminating\n');
    if (isOfNode) await this.#announce(call, given.signal);
    else await this.#wait(call, given.signal);
    if (!given.signal.aborted) sendText(response, 200, 'drained\n');
  }

  /** The kubelet calls: the proxies are told that the pod ends. */
  async #announce(call: PreStopCall, signal: AbortSignal): Promise<void> {
    const begun = this.#clock.monotonic();
    this.#state = drainBegins(this.#state, call, begun);
    this.#log.info({ sessions: this.#state.sockets.established, ...call }, 'draining');
    this.#publish();
    this.#bell.ring();
    do {
      await this.#clock.sleep(LOOK_MS.draining, signal);
      this.#updateRouting();
    } while (!signal.aborted && !mayEnd(this.#state, this.#clock.monotonic()));
    const now = this.#clock.monotonic();
    const isHasty = signal.aborted && now - begun < HASTY_MS;
    this.#state = isHasty ? drainTakenBack(this.#state, begun, now) : drainOver(this.#state, now);
    this.#log.info({ sessions: this.#state.sockets.established, asked: !signal.aborted, takenBack: isHasty }, 'drained');
    this.#bell.ring();
  }

  /**
   * Anyone else calls, or a kubelet of a network that hides where it calls from: it is answered in time, which does no harm, and the proxies
   * are told nothing; a pod that really ends is drained by the operator.
   */
  async #wait(call: PreStopCall, signal: AbortSignal): Promise<void> {
    let own = drainBegins({ ...this.#state, drain: null }, call, this.#clock.monotonic());
    if (call.helper !== true) this.#waiting += 1;
    do {
      await this.#clock.sleep(LOOK_MS.draining, signal);
      const { lookedAt, sockets } = this.#state;
      own = withRouting({ ...own, lookedAt, sockets }, this.#isRouting, this.#clock.monotonic());
    } while (!signal.aborted && !mayEnd(own, this.#clock.monotonic()));
    if (call.helper !== true) this.#waiting -= 1;
  }

  /** Whether the server itself is being ended; what others say counts only for others. */
  async #ends(isOfNode: boolean, signal: AbortSignal): Promise<boolean> {
    const until = this.#clock.monotonic() + ALONE_MS;
    const ends = (): boolean => this.#state.drain !== null || (!isOfNode && this.#waiting > 0);
    while (!ends() && this.#clock.monotonic() < until && !signal.aborted) await this.#clock.sleep(LOOK_MS.draining, signal);
    return ends();
  }

  #listening(response: ServerResponse): void {
    const listens = this.#state.sockets.listening > 0;
    sendText(response, listens ? 200 : 503, listens ? 'ok\n' : 'nothing listens on the CCcam port\n');
  }
}
