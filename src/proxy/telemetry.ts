import type { ProxyEvent } from '../haproxy/event.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import type { CloseReason } from '../haproxy/session-closer.ts';
import type { Clock } from '../runtime/clock.ts';
import { metricsRoute, type Route, sendText } from '../runtime/http-server.ts';
import { ObservationStream } from './observation-stream.ts';
import { ProxyMetrics } from './proxy-metrics.ts';

/** What the agent of one proxy tells the outside: its observations as a stream, its metrics, and whether it is ready. */
export class ProxyTelemetry {
  readonly #clock: Clock;
  readonly #stream: ObservationStream;
  readonly #metrics = new ProxyMetrics();
  #latest: ProxyObservation | null = null;
  /** Whether it has once run its config and had a server in rotation, or has served sessions before this agent started. */
  #settled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stream = new ObservationStream(clock);
  }

  /** Takes over what was just observed. */
  update(observation: ProxyObservation): void {
    this.#latest = observation;
    this.#settled ||=
      observation.synced && observation.servers.some((server) => server.inRotation || server.sessions > 0 || server.totalSessions > 0);
    this.#stream.publish(observation);
    this.#metrics.update(observation);
  }

  /** Counts an event. */
  count(event: ProxyEvent): void {
    this.#metrics.count(event.reason);
  }

  /** Counts sessions that were closed. */
  countClosed(reason: CloseReason, sessions: number): void {
    this.#metrics.countClosed(reason, sessions);
  }

  /** The paths that every agent of a proxy serves. */
  routes(): ReadonlyMap<string, Route> {
    return new Map<string, Route>([
      ['/v1/observations', (_request, response) => this.#stream.add(response)],
      ['/metrics', metricsRoute(this.#metrics.registry, this.#clock)],
      ['/healthz', (_request, response) => sendText(response, 200, 'ok\n')],
      ['/readyz', (_request, response) => this.#ready(response)],
    ]);
  }

  /** A proxy whose next reload waits or fails keeps serving: readiness must not take every proxy away for that. */
  #ready(response: Parameters<Route>[1]): void {
    const latest = this.#latest;
    const ready = this.#settled && latest !== null && latest.error === null && latest.currentPid !== null;
    const why =
      latest === null
        ? 'HAProxy was not read yet'
        : (latest.error ?? 'HAProxy does not run its config yet, or has had no server in rotation');
    sendText(response, ready ? 200 : 503, ready ? 'ok\n' : `${why}\n`);
  }
}
