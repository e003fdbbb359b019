import type { ErrorCode } from '../runtime/errors.ts';
import { type ActualProcess, type ActualProxy, type ActualServer, isCounted, sessionsOf } from './actual.ts';
import { type Difference, isSettled } from './diff.ts';
import type { HealthCause, HealthState } from './health/health-state.ts';
import type { LocalPorts } from './local-ports.ts';
import type { Refusals } from './refusals.ts';

/** What one proxy says of itself: read back, never assumed. Plain data; streamed, and the ground of a pool's status. */
export interface ProxyObservation {
  /** Revision of the config that it works on; null while there is none. */
  readonly configRevision: string | null;
  /** Whether HAProxy runs exactly what was asked for; servers that wait for their greeting do not count against it. */
  readonly synced: boolean;
  /** Why HAProxy could not be read, or null. */
  readonly error: ErrorCode | null;
  readonly masterPid: number | null;
  readonly currentPid: number | null;
  readonly oldWorkers: number;
  readonly structureHash: string | null;
  /** System error of this machine that keeps servers from being probed, such as `EADDRNOTAVAIL`; or null. */
  readonly localError: string | null;
  /** Whether new clients are let in. */
  readonly frontend: ActualProcess['frontend'];
  readonly refused: Refusals;
  /** Addresses that sessions come from, and sessions of the address with the most. */
  readonly clients: { readonly addresses: number; readonly most: number };
  /** Local ports of connections to the server that takes most of them. */
  readonly localPorts: LocalPorts;
  /** Sessions that the proxy can hold: what is asked for, or what its limit of open files allows. 0 while it is not known. */
  readonly maxConnections: number;
  /** Whether servers with more than half of the capacity stopped answering together, so that none of their sessions is closed. */
  readonly panic: boolean;
  readonly servers: readonly ServerObservation[];
}

/** What one proxy says of a server. */
export interface ServerObservation {
  readonly name: string;
  readonly id: number;
  readonly admin: ActualServer['admin'];
  readonly operational: ActualServer['operational'];
  /** Whether it has sent its greeting and may take sessions if it has room. */
  readonly inRotation: boolean;
  /** How it stands with this proxy; null where it should not serve. */
  readonly health: HealthState | null;
  /** Why it is not up, or null. */
  readonly cause: HealthCause | null;
  /** Sessions above which it has refused more, or null. */
  readonly learnedLimit: number | null;
  /** Whether it is a limit of sessions for sure, and none of connections. */
  readonly limitIsSure: boolean;
  readonly checkStatus: string;
  readonly weight: number;
  readonly maxConnections: number;
  /** Live sessions over all workers. */
  readonly sessions: number;
  readonly sessionsInOldWorkers: number;
  /** False while an old worker does not answer, so that there may be more sessions than are counted. */
  readonly counted: boolean;
  readonly totalSessions: number;
  readonly withoutGreeting: number;
  readonly clientErrors: number;
}

/** How a server stands, as far as observations tell it. */
export type ServerStanding = Pick<ServerObservation, 'health' | 'cause' | 'learnedLimit' | 'limitIsSure'>;

/** Result of one pass over a proxy. */
export interface Observed {
  readonly configRevision: string | null;
  readonly actual: ActualProxy;
  readonly difference: Difference;
  /** By server; those that should not serve are not in there. */
  readonly standings: ReadonlyMap<string, ServerStanding>;
  readonly localError: string | null;
  readonly panic: boolean;
  /** Sessions by the address of their client. */
  readonly clients: ReadonlyMap<string, number>;
  readonly refused: Refusals;
  readonly localPorts: LocalPorts;
  readonly maxConnections: number;
}

/** Sums up a pass over one proxy. */
export function observe(observed: Observed): ProxyObservation {
  const { actual, clients, difference, localError, localPorts, maxConnections, panic, refused, standings, configRevision } = observed;
  return {
    configRevision,
    synced: isSettled(difference),
    error: null,
    masterPid: actual.masterPid,
    currentPid: actual.current.pid,
    oldWorkers: actual.old.length,
    structureHash: actual.current.structureHash,
    localError,
    panic,
    frontend: actual.current.process.frontend,
    refused,
    localPorts,
    maxConnections,
    clients: { addresses: clients.size, most: Math.max(0, ...clients.values()) },
    servers: [
      ...actual.current.servers.map((server) => serverObservation(server, actual, standings.get(server.name) ?? NO_STANDING)),
      ...onlyInOldWorkers(actual),
    ],
  };
}

/** What there is to say of a proxy that could not be read. */
export function unreadable(error: ErrorCode, configRevision: string | null): ProxyObservation {
  return {
    configRevision,
    synced: false,
    error,
    masterPid: null,
    currentPid: null,
    oldWorkers: 0,
    structureHash: null,
    localError: null,
    panic: false,
    frontend: 'open',
    refused: { client: 0, full: 0, lately: { client: 0, full: 0 } },
    localPorts: { taken: 0, of: 0 },
    maxConnections: 0,
    clients: { addresses: 0, most: 0 },
    servers: [],
  };
}

const NO_STANDING: ServerStanding = { health: null, cause: null, learnedLimit: null, limitIsSure: false };

function serverObservation(server: ActualServer, actual: ActualProxy, standing: ServerStanding): ServerObservation {
  const sessions = sessionsOf(actual, server.name);
  return {
    name: server.name,
    id: server.id,
    admin: server.admin,
    operational: server.operational,
    // One that is full serves all the same.
    inRotation: server.admin === 'ready' && (server.operational === 'up' || standing.health === 'full'),
    ...standing,
    checkStatus: server.checkStatus,
    weight: server.weight,
    maxConnections: server.maxConnections,
    sessions,
    sessionsInOldWorkers: sessions - server.sessions,
    counted: isCounted(actual),
    totalSessions: server.totalSessions,
    withoutGreeting: server.withoutGreeting,
    clientErrors: server.clientErrors,
  };
}

/** A server that only an old worker still knows: its sessions must not be forgotten. */
function onlyInOldWorkers(actual: ActualProxy): ServerObservation[] {
  const known = new Set(actual.current.servers.map((server) => server.name));
  const names = new Set(
    actual.old.flatMap((worker) =>
      [...(worker.sessions ?? [])].filter(([name, count]) => count > 0 && !known.has(name)).map(([name]) => name),
    ),
  );
  return [...names].map((name) => {
    const sessions = sessionsOf(actual, name);
    return { ...ABSENT, name, sessions, sessionsInOldWorkers: sessions, counted: isCounted(actual) };
  });
}

const ABSENT = {
  id: 0,
  admin: 'maint',
  operational: 'down',
  inRotation: false,
  ...NO_STANDING,
  checkStatus: '',
  weight: 0,
  maxConnections: 0,
  totalSessions: 0,
  withoutGreeting: 0,
  clientErrors: 0,
} as const;
