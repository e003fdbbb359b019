import type { Clock } from '../runtime/clock.ts';
import type { ActualProxy } from './actual.ts';
import { sessionsOf } from './actual.ts';
import type { EffectiveModel } from './effective.ts';
import type { Report } from './event.ts';
import type { ProxyModel, WantedServer } from './model.ts';
import { Pace } from './pace.ts';
import { Promises } from './promises.ts';
import type { ControlSockets } from './runtime-socket.ts';
import { closeSessions } from './sessions.ts';

/** Why we close sessions; values of the label of `cccam_sessions_closed_total`. */
export const CLOSE_REASONS = ['drain_deadline', 'hung'] as const;
/** Why sessions were closed. */
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Longest time for closing in one round. Twenty sessions take some 20 ms, more where there are many to look through. */
const ROUND_MS = 100;

/** Told of every session that is closed by us. */
export type OnClosed = (reason: CloseReason, sessions: number) => void;

/** What a closer works with. */
export interface SessionCloserOptions {
  readonly sockets: ControlSockets;
  readonly clock: Clock;
  readonly report: Report;
  readonly onClosed: OnClosed;
}

/** Closes sessions for the two reasons that there are: a drain is over, or the server that holds them hangs. */
export class SessionCloser {
  readonly #options: SessionCloserOptions;
  readonly #pace = new Pace();
  #overdue = false;
  readonly #overdueClosing = new Set<string>();
  readonly #hungClosing = new Set<string>();
  readonly #promises = new Promises();

  constructor(options: SessionCloserOptions) {
    this.#options = options;
  }

  /** Whether sessions are being closed, so that it goes on soon. */
  get isClosing(): boolean {
    return this.#overdue;
  }

  /** Closes what is left on servers whose drain is over, a few at a time. */
  async closeOverdue(wanted: ProxyModel, actual: ActualProxy): Promise<void> {
    const { clock, onClosed, report, sockets } = this.#options;
    const servers = overdue(wanted, actual, clock.now());
    if (servers.length > 0 && !this.#overdue) {
      for (const server of servers) {
        const message = `the deadline has passed; closing ${sessionsOf(actual, server.name)} sessions, ${wanted.closePerSecond} per second`;
        report({ severity: 'Normal', reason: 'ClosingSessions', server: server.name, message });
      }
    }
    this.#overdue = servers.length > 0;
    if (!this.#overdue) {
      this.#overdueClosing.clear();
      return this.#pace.reset();
    }
    const isOver = this.#timeLimit();
    let permits = this.#pace.take(wanted.closePerSecond, clock.monotonic());
    for (const server of servers) {
      if (permits === 0) break;
      const closed = await closeSessions(sockets, workers(actual), {
        server: server.name,
        count: permits,
        ending: this.#overdueClosing,
        isOver,
      });
      onClosed('drain_deadline', closed);
      permits -= closed;
    }
    this.#pace.giveBack(permits);
  }

  #timeLimit(): () => boolean {
    const { clock } = this.#options;
    const end = clock.monotonic() + ROUND_MS;
    return () => clock.monotonic() > end;
  }

  /** Closes the sessions of hung servers, so that their clients are served elsewhere: as many as others have places for. */
  async closeHung(effective: EffectiveModel, actual: ActualProxy, health: Hanging): Promise<void> {
    const { clock, onClosed, report, sockets } = this.#options;
    if (health.hung.length === 0) this.#hungClosing.clear();
    const isOver = this.#timeLimit();
    for (const name of health.hung) {
      const now = clock.monotonic();
      const room = freePlaces(effective, actual, health.proven) - this.#promises.outstanding(sessionsElsewhere(actual, health.hung), now);
      const count = Math.min(sessionsOf(actual, name), room);
      if (count <= 0) continue;
      const closed = await closeSessions(sockets, workers(actual), { server: name, count, ending: this.#hungClosing, isOver });
      if (closed === 0) continue;
      this.#promises.add(closed, sessionsElsewhere(actual, health.hung), now);
      onClosed('hung', closed);
      const message = `closed ${closed} sessions of a server that hangs; their clients are served elsewhere`;
      report({ severity: 'Warning', reason: 'SessionsClosed', server: name, message });
    }
  }
}

/** What is known of servers when sessions are to be closed. */
export interface Hanging {
  /** Names of servers that are hung. */
  readonly hung: readonly string[];
  /** Names of servers that were heard since then. */
  readonly proven: ReadonlySet<string>;
}

/** Servers whose drain is over and that still hold sessions. */
export function overdue(wanted: ProxyModel, actual: ActualProxy, now: number): WantedServer[] {
  return wanted.servers.filter(
    (server) => server.state === 'drain' && server.deadlineAt !== null && server.deadlineAt <= now && sessionsOf(actual, server.name) > 0,
  );
}

/**
 * Sessions that HAProxy would still send to servers that are known to answer. Backups count only where no Active server is in rotation,
 * full ones included: HAProxy sends them no sessions before.
 */
export function freePlaces(effective: EffectiveModel, actual: ActualProxy, proven: ReadonlySet<string>): number {
  const held = new Map(actual.current.servers.map(({ name, sessions }) => [name, sessions]));
  const inRotation = effective.servers.filter(({ awaits, state, usable }) => state === 'ready' && usable && !awaits);
  const actives = inRotation.filter(({ backup }) => !backup);
  return (actives.length > 0 ? actives : inRotation)
    .filter(({ name }) => proven.has(name))
    .reduce((sum, { maxConnections, name }) => sum + Math.max(0, maxConnections - (held.get(name) ?? 0)), 0);
}

function sessionsElsewhere(actual: ActualProxy, hung: readonly string[]): number {
  return actual.current.servers.reduce((sum, { name, sessions }) => sum + (hung.includes(name) ? 0 : sessions), 0);
}

/** Workers that answer, old ones first: nothing else closes their sessions. */
function workers(actual: ActualProxy): number[] {
  return [...actual.old.filter((worker) => worker.sessions !== null).map((worker) => worker.pid), actual.current.pid];
}
