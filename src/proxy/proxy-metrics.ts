import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ProxyEventReason } from '../haproxy/event.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import { CLOSE_REASONS, type CloseReason } from '../haproxy/session-closer.ts';
import { WorkerTotals } from './worker-totals.ts';

const REFUSAL_REASONS = ['client_limit', 'proxy_full'] as const;
const ADMIN_STATES = ['ready', 'drain', 'maint'] as const;

/** Metrics of one proxy, read from its observations. Labels hold names of a closed grammar only, never text of a peer. */
export class ProxyMetrics {
  readonly registry = new Registry();
  readonly #up = this.#gauge('cccam_proxy_up', 'Whether HAProxy answers (1) or not (0).', []);
  readonly #synced = this.#gauge('cccam_proxy_synced', 'Whether HAProxy runs exactly what was asked for.', []);
  readonly #workers = this.#gauge('cccam_proxy_workers', 'Worker processes, by whether they take new sessions.', ['kind']);
  readonly #sessions = this.#gauge('cccam_server_sessions', 'Live sessions of a server, over all workers.', ['server']);
  readonly #oldSessions = this.#gauge('cccam_server_old_worker_sessions', 'Live sessions of a server in workers from before a reload.', [
    'server',
  ]);
  readonly #inRotation = this.#gauge('cccam_server_in_rotation', 'Whether a server takes new sessions.', ['server']);
  readonly #healthy = this.#gauge('cccam_server_check_up', 'Whether HAProxy takes a server for healthy.', ['server']);
  readonly #weight = this.#gauge('cccam_server_weight', 'Weight of a server, 0 to 256.', ['server']);
  readonly #limit = this.#gauge('cccam_server_max_sessions', 'Sessions that this proxy may hold on a server.', ['server']);
  readonly #admin = this.#gauge('cccam_server_admin_state', 'What was asked of a server: 1 for its state, 0 for the others.', [
    'server',
    'state',
  ]);
  readonly #ungreeted = this.#counter(
    'cccam_server_clients_without_greeting_total',
    'Clients that were connected to a server and got no greeting.',
    ['server'],
  );
  readonly #clientErrors = this.#counter(
    'cccam_server_client_errors_total',
    'Sessions of a server that were refused, reset, redispatched or got no greeting.',
    ['server'],
  );
  readonly #events = this.#counter('cccam_proxy_events_total', 'Events by reason: reloads, repairs, hung servers and so on.', ['reason']);
  readonly #refused = this.#counter(
    'cccam_proxy_clients_refused_total',
    'Clients that were refused, by reason: the limits of their address, or the proxy is full.',
    ['reason'],
  );
  readonly #closed = this.#counter(
    'cccam_sessions_closed_total',
    'Sessions that the agent closed, by reason: the deadline of a drain has passed, or their server hangs.',
    ['reason'],
  );
  readonly #totals = new WorkerTotals();
  /** Servers with counters. */
  #counted: ReadonlySet<string> = new Set();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const reason of REFUSAL_REASONS) this.#refused.inc({ reason }, 0);
    for (const reason of CLOSE_REASONS) this.#closed.inc({ reason }, 0); // so that a rate is known from the first one on
  }

  /** Counts an event. */
  count(reason: ProxyEventReason): void {
    this.#events.inc({ reason });
  }

  /** Counts sessions that were closed. */
  countClosed(reason: CloseReason, sessions: number): void {
    this.#closed.inc({ reason }, sessions);
  }

  /** Takes over what was just observed. */
  update(observation: ProxyObservation): void {
    this.#up.set(observation.error === null ? 1 : 0);
    this.#synced.set(observation.synced ? 1 : 0);
    if (observation.error !== null) return; // the last known figures stay; cccam_proxy_up says that they are old
    this.#workers.set({ kind: 'current' }, observation.currentPid === null ? 0 : 1);
    this.#workers.set({ kind: 'old' }, observation.oldWorkers);
    this.#totals.begin(observation.currentPid);
    this.#refused.inc({ reason: 'client_limit' }, this.#totals.rise('client_limit', observation.refused.client));
    this.#refused.inc({ reason: 'proxy_full' }, this.#totals.rise('proxy_full', observation.refused.full));
    for (const gauge of this.#perServer()) gauge.reset(); // a server that is gone must not be shown for ever
    this.#forgetServers(new Set(observation.servers.map(({ name }) => name)));
    for (const server of observation.servers) {
      const labels = { server: server.name };
      this.#sessions.set(labels, server.sessions);
      this.#oldSessions.set(labels, server.sessionsInOldWorkers);
      this.#inRotation.set(labels, server.inRotation ? 1 : 0);
      this.#healthy.set(labels, server.operational === 'up' ? 1 : 0);
      this.#weight.set(labels, server.weight);
      this.#limit.set(labels, server.maxConnections);
      this.#ungreeted.inc(labels, this.#totals.rise(`ungreeted ${server.name}`, server.withoutGreeting));
      this.#clientErrors.inc(labels, this.#totals.rise(`errors ${server.name}`, server.clientErrors));
      for (const state of ADMIN_STATES) this.#admin.set({ ...labels, state }, server.admin === state ? 1 : 0);
    }
  }

  #forgetServers(names: ReadonlySet<string>): void {
    for (const name of this.#counted) {
      if (names.has(name)) continue;
      for (const counter of [this.#ungreeted, this.#clientErrors]) counter.remove({ server: name });
    }
    this.#counted = names;
  }

  #perServer(): Gauge[] {
    return [this.#sessions, this.#oldSessions, this.#inRotation, this.#healthy, this.#weight, this.#limit, this.#admin];
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
