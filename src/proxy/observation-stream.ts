import type { ServerResponse } from 'node:http';
import type { ProxyObservation, ServerObservation } from '../haproxy/observation.ts';
import type { Clock } from '../runtime/clock.ts';
import { NdjsonPublisher } from '../runtime/ndjson-publisher.ts';
import { HEARTBEAT_MS, type ObservationLine } from '../wire/observation.ts';

/** The operators of a pool are two; people and scripts may listen, too. One address must not keep out the others. */
const LIMITS = { subscribers: 96, perAddress: 16, backlogBytes: 65_536, behindMs: 60_000 } as const;

/** Publishes what a proxy observes: changes of state at once, counts every few seconds. */
export class ObservationStream {
  readonly #clock: Clock;
  readonly #publisher: NdjsonPublisher;
  #latest: ProxyObservation | undefined;
  /** What subscribers know of the proxy itself: its state, and its whole line. */
  #sentProxy = { state: '', line: '' };
  /** What subscribers know of each server: its state, and its whole line. */
  readonly #sentServers = new Map<string, { state: string; line: string }>();
  #countsAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#publisher = new NdjsonPublisher(LIMITS, clock);
    this.#countsAt = clock.monotonic();
  }

  /** Adds a subscriber, for as long as its connection lives. */
  add(response: ServerResponse): void {
    this.#publisher.add(response, this.#latest === undefined ? [] : snapshot(this.#latest));
  }

  /** Publishes what has changed with a fresh observation. */
  publish(observation: ProxyObservation): void {
    const first = this.#latest === undefined;
    this.#latest = observation;
    if (observation.error !== null) {
      // Subscribers that come meanwhile get a snapshot without servers: afterwards all servers are sent again.
      for (const name of this.#sentServers.keys()) this.#sentServers.set(name, { state: '', line: '' });
    }
    const now = this.#clock.monotonic();
    const countsDue = now - this.#countsAt >= HEARTBEAT_MS;
    // Servers before the proxy: its line may say that all of them are as asked for.
    const lines = [...this.#serverChanges(observation, countsDue), ...this.#proxyChange(observation, countsDue)];
    if (countsDue) this.#countsAt = now;
    if (first) lines.push({ kind: 'synced' });
    else if (countsDue) lines.push({ kind: 'heartbeat' });
    this.#publisher.publish(lines);
  }

  #proxyChange(observation: ProxyObservation, countsDue: boolean): ObservationLine[] {
    const proxy = proxyLine(observation);
    const sent = { state: JSON.stringify({ ...proxy, ...NO_COUNTS }), line: JSON.stringify(proxy) };
    if (sent.state === this.#sentProxy.state && (!countsDue || sent.line === this.#sentProxy.line)) return [];
    this.#sentProxy = sent;
    return [proxy];
  }

  #serverChanges(observation: ProxyObservation, countsDue: boolean): ObservationLine[] {
    if (observation.error !== null) return []; // nothing was read: what subscribers know still stands, and the proxy's own line says why
    const lines: ObservationLine[] = [];
    for (const server of observation.servers) {
      const sent = this.#sentServers.get(server.name);
      const state = stateOf(server);
      const line = JSON.stringify(server);
      if (sent?.state === state && (!countsDue || sent.line === line)) continue;
      this.#sentServers.set(server.name, { state, line });
      lines.push({ kind: 'server', ...server });
    }
    const names = new Set(observation.servers.map((server) => server.name));
    for (const name of this.#sentServers.keys()) {
      if (names.has(name)) continue;
      this.#sentServers.delete(name);
      lines.push({ kind: 'gone', name });
    }
    return lines;
  }
}

/** Counts of a proxy that move while nothing happens. */
const NO_COUNTS = { refused: null, clients: null, localPorts: null } satisfies Partial<Record<keyof ProxyObservation, null>>;

function snapshot(observation: ProxyObservation): ObservationLine[] {
  return [
    proxyLine(observation),
    ...observation.servers.map((server): ObservationLine => ({ kind: 'server', ...server })),
    { kind: 'synced' },
  ];
}

function proxyLine({ servers: _, ...proxy }: ProxyObservation): ObservationLine {
  return { kind: 'proxy', ...proxy };
}

/** What counts as state: everything that a drain or a status waits for, so that the end of the last session is sent at once. */
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
