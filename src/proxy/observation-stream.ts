import type { ServerResponse } from 'node:http';
import type { ProxyObservation, ServerObservation } from '../haproxy/observation.ts';
import type { Clock } from '../runtime/clock.ts';

/** Counts that only moved wait so long, so that a busy proxy does not drown its listeners. */
const COUNTS_EVERY_MS = 10_000;
/** A listener that has not read for so many bytes is cut off; it comes back and is told everything anew. */
const BACKLOG_BYTES = 1_048_576;

/** Lines of `GET /v1/observations`, newline-delimited JSON: a snapshot, `synced`, then changes. */
export type ObservationLine =
  | ({ readonly kind: 'proxy' } & Omit<ProxyObservation, 'servers'>)
  | ({ readonly kind: 'server' } & ServerObservation)
  | { readonly kind: 'gone'; readonly name: string }
  /** Ends the snapshot. */
  | { readonly kind: 'synced' }
  /** Nothing has changed; the connection lives. */
  | { readonly kind: 'heartbeat' };

/** Tells listeners what a proxy observes: changes of state at once, counts now and then. */
export class ObservationStream {
  readonly #clock: Clock;
  readonly #listeners = new Set<ServerResponse>();
  #latest: ProxyObservation | undefined;
  /** What listeners know of the proxy itself: its state, and its whole line. */
  #toldProxy = { state: '', line: '' };
  /** What listeners know of each server: its state, and its whole line. */
  readonly #toldServers = new Map<string, { state: string; line: string }>();
  #countsAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countsAt = clock.monotonic();
  }

  /** Adds a listener, for as long as its connection lives. */
  add(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    if (this.#latest !== undefined) send(response, everything(this.#latest));
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
  }

  /** Hands on a fresh observation. */
  publish(observation: ProxyObservation): void {
    const first = this.#latest === undefined;
    this.#latest = observation;
    if (observation.error !== null) {
      // Whoever comes meanwhile is told of none: afterwards all are told again.
      for (const name of this.#toldServers.keys()) this.#toldServers.set(name, { state: '', line: '' });
    }
    const now = this.#clock.monotonic();
    const countsDue = now - this.#countsAt >= COUNTS_EVERY_MS;
    // The servers come before the proxy that claims to be as it was asked for.
    const lines = [...this.#serverChanges(observation, countsDue), ...this.#proxyChange(observation, countsDue)];
    if (countsDue) this.#countsAt = now;
    if (first) lines.push({ kind: 'synced' });
    else if (countsDue) lines.push({ kind: 'heartbeat' });
    if (lines.length === 0) return;
    for (const listener of this.#listeners) send(listener, lines);
  }

  #proxyChange(observation: ProxyObservation, countsDue: boolean): ObservationLine[] {
    const proxy = proxyLine(observation);
    const told = { state: JSON.stringify({ ...proxy, ...NO_COUNTS }), line: JSON.stringify(proxy) };
    if (told.state === this.#toldProxy.state && (!countsDue || told.line === this.#toldProxy.line)) return [];
    this.#toldProxy = told;
    return [proxy];
  }

  #serverChanges(observation: ProxyObservation, countsDue: boolean): ObservationLine[] {
    if (observation.error !== null) return []; // nothing was read: what listeners know still stands, and the proxy's own line says why
    const lines: ObservationLine[] = [];
    for (const server of observation.servers) {
      const told = this.#toldServers.get(server.name);
      const state = stateOf(server);
      const line = JSON.stringify(server);
      if (told?.state === state && (!countsDue || told.line === line)) continue;
      this.#toldServers.set(server.name, { state, line });
      lines.push({ kind: 'server', ...server });
    }
    const names = new Set(observation.servers.map((server) => server.name));
    for (const name of this.#toldServers.keys()) {
      if (names.has(name)) continue;
      this.#toldServers.delete(name);
      lines.push({ kind: 'gone', name });
    }
    return lines;
  }
}

/** Counts of a proxy that move while nothing happens. */
const NO_COUNTS = { refused: null, clients: null, localPorts: null } satisfies Partial<Record<keyof ProxyObservation, null>>;

function everything(observation: ProxyObservation): ObservationLine[] {
  return [
    proxyLine(observation),
    ...observation.servers.map((server): ObservationLine => ({ kind: 'server', ...server })),
    { kind: 'synced' },
  ];
}

function proxyLine({ servers: _, ...proxy }: ProxyObservation): ObservationLine {
  return { kind: 'proxy', ...proxy };
}

/** What counts as a state: everything a drain or a status waits for, so that the last session's end is told at once. */
function stateOf(server: ServerObservation): string {
  return [
    server.id,
    server.admin,
    server.operational,
    server.inRotation,
    server.health,
    server.cause,
    server.learnedLimit,
    server.limitIsSure,
    server.checkStatus,
    server.weight,
    server.maxConnections,
    server.sessions === 0,
    server.counted,
  ].join(' ');
}

function send(listener: ServerResponse, lines: readonly ObservationLine[]): void {
  listener.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  if (listener.writableLength > BACKLOG_BYTES) listener.destroy();
}
