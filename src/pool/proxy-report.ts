import type { HealthCause, HealthState } from '../haproxy/health/health-state.ts';
import type { ProxyObservation, ServerObservation } from '../haproxy/observation.ts';
import type { AgentFacts } from './agent-upgrade.ts';

/** What is known of one proxy. */
export interface ProxyReport {
  /** Name of its pod. */
  readonly name: string;
  readonly uid: string;
  readonly agent: AgentFacts | null;
  /** Whether it takes new clients, as Kubernetes sees it. */
  readonly ready: boolean;
  /** When its deletion was requested, and its grace period; null while it is not terminating. Its remaining sessions still count. */
  readonly terminatingSince: number | null;
  readonly gracePeriodMs: number | null;
  /** What it says of itself; `pending` until it was asked for the first time. */
  readonly said: 'pending' | 'unreachable' | ProxyStatement;
  /** Code of what keeps it from saying more, or null. */
  readonly error: string | null;
}

/** What a proxy says of itself. */
export interface ProxyStatement {
  /** Revision of the config that it works on, or null. */
  readonly configRevision: string | null;
  /** Whether its HAProxy runs exactly that. */
  readonly synced: boolean;
  /** System error of its machine that keeps it from probing servers, or null. */
  readonly localError: string | null;
  /** Whether servers with more than half of the capacity stopped answering it together. */
  readonly panic: boolean;
  readonly clients: { readonly addresses: number; readonly most: number };
  readonly refusedLately: { readonly client: number; readonly full: number };
  readonly localPorts: { readonly taken: number; readonly of: number };
  /** Sessions that it can hold; 0 while that is not known. */
  readonly maxConnections: number;
  readonly servers: ReadonlyMap<string, ServerStatement>;
}

/** What a proxy says of a server. */
export interface ServerStatement {
  readonly sessions: number;
  /** False while one of its workers has not reported its sessions. */
  readonly counted: boolean;
  readonly admin: 'ready' | 'drain' | 'maint';
  readonly inRotation: boolean;
  /** Sessions that the proxy may hold on it as it runs now, those of its earlier workers among them. */
  readonly mayHold: number;
  /** How it stands with the proxy; null where it should not serve. */
  readonly health: HealthState | null;
  readonly cause: HealthCause | null;
  readonly learnedLimit: number | null;
  /** Whether it is a limit of sessions for sure, and none of connections. */
  readonly limitIsSure: boolean;
}

/** What an observation says, for a proxy whose agent runs in this process. */
export function statementOf(observation: ProxyObservation): ProxyStatement {
  const { clients, configRevision, localError, localPorts, maxConnections, panic, refused, synced } = observation;
  const servers = new Map(observation.servers.map((server) => [server.name, serverStatement(server)]));
  return { configRevision, synced, localError, panic, clients, refusedLately: refused.lately, localPorts, maxConnections, servers };
}

/** What an observation says of a server, as it was read back here or came over the wire. */
export function serverStatement(
  server: Pick<ServerObservation, Exclude<keyof ServerStatement, 'mayHold'> | 'maxConnections' | 'sessionsInOldWorkers'>,
): ServerStatement {
  const { admin, cause, counted, health, inRotation, learnedLimit, limitIsSure, maxConnections, sessions, sessionsInOldWorkers } = server;
  const mayHold = admin === 'ready' ? maxConnections + sessionsInOldWorkers : sessions;
  return { sessions, counted, admin, inRotation, mayHold, health, cause, learnedLimit, limitIsSure };
}
