import { type BackendSpec, durationMs, type PoolSpec, type Role } from '../api/v1alpha1/index.ts';
import { ACTIVE, type DrainReason, type DrainState, drainProgress, nextDrainState } from './drain.ts';
import { maxConnectionsPerProxy } from './max-connections.ts';
import { assignIds } from './server-ids.ts';
import { computeWeights } from './weights.ts';

/** One server that the pool knows: in the spec, or on its way out. What must survive a restart is all in here. */
export interface RosterEntry {
  readonly name: string;
  readonly id: number;
  /** Name of the backend that it belongs or belonged to. */
  readonly backend: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly maxConnections: number;
  readonly role: Role;
  readonly drain: DrainState;
  /** How long its drain may take, in milliseconds. */
  readonly deadlineMs: number;
}

/** Every server of a pool, ordered by id. */
export type Roster = readonly RosterEntry[];

/** What is known of a server's sessions over all proxies. */
export interface SessionCount {
  /** Null while a worker has not told its own: unknown is never empty. */
  readonly sessions: number | null;
  /** Whether every proxy was seen to send nobody new. */
  readonly outOfRotation: boolean;
}

/**
 * The roster of a pool of external servers. A server in the spec keeps its id and its drain's clock; one that is no longer there, or
 * that has moved to another address, drains first and is dropped only when it was seen out of rotation and empty.
 *
 * @param previous the roster of before, or of before a restart
 * @param counts what was read back, by server name; a server that is missing is unknown, not empty
 * @param now milliseconds since the epoch
 */
export function nextRoster(spec: PoolSpec, previous: Roster, counts: ReadonlyMap<string, SessionCount>, now: number): Roster {
  const external = spec.backends.filter((backend) => backend.external !== undefined);
  const weights = computeWeights(spec.backends, spec.weights.policy);
  const limits = maxConnectionsPerProxy(spec.backends, weights, 1);
  const before = new Map(previous.map((entry) => [entry.name, entry]));
  const names = external.map(serverName);
  const leaving = previous
    .filter((entry) => !names.includes(entry.name))
    .flatMap((entry) => leave(entry, spec, counts.get(entry.name), now));
  const ids = assignIds(
    new Map([...leaving, ...previous.filter((entry) => names.includes(entry.name))].map((entry) => [entry.name, entry.id])),
    names,
  );
  const staying = external.map((backend): RosterEntry => {
    const name = serverName(backend);
    const reason: DrainReason | null = backend.drain?.enabled === true ? 'requested' : null;
    return {
      name,
      id: ids.get(name) ?? 1,
      backend: backend.name,
      address: backend.external?.address ?? '',
      port: backend.port,
      weight: weights.get(backend.name) ?? 1,
      maxConnections: limits.get(backend.name) ?? 1,
      role: backend.role,
      drain: nextDrainState(before.get(name)?.drain ?? ACTIVE, reason, now),
      deadlineMs: durationMs(backend.drain?.deadline ?? spec.drain.deadline),
    };
  });
  return [...staying, ...leaving].sort((a, b) => a.id - b.id);
}

/** Name of an external backend's server. It holds the address and port, so that another address is another server. */
export function serverName(backend: Pick<BackendSpec, 'name' | 'port' | 'external'>): string {
  return `${backend.name}-${backend.external?.address ?? ''}:${backend.port}`;
}

function leave(entry: RosterEntry, spec: PoolSpec, count: SessionCount | undefined, now: number): RosterEntry[] {
  const drain = nextDrainState(entry.drain, 'removed', now);
  const deadlineMs = durationMs(spec.drain.deadline);
  const progress = drainProgress(drain, deadlineMs, count?.sessions ?? null, count?.outOfRotation ?? false, now);
  return progress.kind === 'drained' ? [] : [{ ...entry, drain, deadlineMs }];
}
