import type { ErrorCode } from '../runtime/errors.ts';
import { type ActualProxy, type ActualServer, isCounted, sessionsOf } from './actual.ts';
import { type Difference, isSettled } from './diff.ts';
import type { ProxyModel } from './model.ts';

/** What one proxy says of itself: read back, never assumed. Plain data, streamed to whoever asks and the ground of a pool's status. */
export interface ProxyObservation {
  /** Names what was asked for, as the asker named it; null where nobody did. */
  readonly wish: string | null;
  /** Whether HAProxy runs exactly what was asked for; servers that wait for their greeting do not count against it. */
  readonly synced: boolean;
  /** Why HAProxy could not be read, or null. */
  readonly error: ErrorCode | null;
  readonly masterPid: number | null;
  readonly currentPid: number | null;
  readonly oldWorkers: number;
  readonly structureHash: string | null;
  readonly servers: readonly ServerObservation[];
}

export interface ServerObservation {
  readonly name: string;
  readonly id: number;
  readonly admin: ActualServer['admin'];
  readonly operational: ActualServer['operational'];
  /** Whether it was heard to greet and may take sessions if it is up. */
  readonly inRotation: boolean;
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
  readonly troubles: number;
}

/** Sums up a pass over one proxy. */
export function observe(
  wanted: ProxyModel | undefined,
  actual: ActualProxy | null,
  difference: Difference | null,
  error: ErrorCode | null,
  wish: string | null = null,
): ProxyObservation {
  if (actual === null || wanted === undefined) {
    return { wish, synced: false, error, masterPid: null, currentPid: null, oldWorkers: 0, structureHash: null, servers: [] };
  }
  return {
    wish,
    synced: difference !== null && isSettled(difference),
    error,
    masterPid: actual.masterPid,
    currentPid: actual.current.pid,
    oldWorkers: actual.old.length,
    structureHash: actual.current.structureHash,
    servers: [...actual.current.servers.map((server) => serverObservation(server, actual)), ...onlyInOldWorkers(actual)],
  };
}

function serverObservation(server: ActualServer, actual: ActualProxy): ServerObservation {
  const sessions = sessionsOf(actual, server.name);
  return {
    name: server.name,
    id: server.id,
    admin: server.admin,
    operational: server.operational,
    inRotation: server.admin === 'ready' && server.operational === 'up',
    checkStatus: server.checkStatus,
    weight: server.weight,
    maxConnections: server.maxConnections,
    sessions,
    sessionsInOldWorkers: sessions - server.sessions,
    counted: isCounted(actual),
    totalSessions: server.totalSessions,
    withoutGreeting: server.withoutGreeting,
    troubles: server.troubles,
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
  checkStatus: '',
  weight: 0,
  maxConnections: 0,
  totalSessions: 0,
  withoutGreeting: 0,
  troubles: 0,
} as const;
