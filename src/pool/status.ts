import type { BackendSpec, BackendStatus, Condition, PoolStatus, ServerStateName, ServerStatus } from '../api/v1alpha1/index.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import { type ConditionDraft, conditions, type StatusContext } from './conditions.ts';
import type { PoolServer } from './decide.ts';
import type { ProxySummary } from './proxy-summary.ts';
import type { RosterEntry } from './roster.ts';
import { serverStatus, serves } from './server-status.ts';
import { sharePercent } from './weights.ts';

/** What a status is made of. */
export interface StatusInput {
  readonly generation: number | undefined;
  readonly backends: readonly Pick<BackendSpec, 'name' | 'replicas'>[];
  readonly servers: readonly PoolServer[];
  readonly proxies: ProxySummary;
  /** Proxies that the pool asks for. */
  readonly desired: number;
  /** Where clients connect, once that is known. */
  readonly address: string | null;
  /** The status before this one, for its transition times. */
  readonly previous: PoolStatus | null;
  readonly context: StatusContext;
  /** Added to every time that is shown, where the pool's clock differs from the wall clock; in milliseconds. */
  readonly shiftMs?: number;
}

/** Servers that are listed one by one; more are summed up, so that a status stays well below what etcd takes. */
const LISTED_SERVERS = 256;
/** Backends that are listed: all of a spec, and some of those that are on their way out. */
const LISTED_BACKENDS = 256;

/**
 * The status of a pool: what was read back. Transition times move only when a condition's status does.
 *
 * @param now milliseconds since the epoch
 */
export function poolStatus(input: StatusInput, now: number): PoolStatus {
  const { address, context, desired, generation, previous, proxies, shiftMs = 0 } = input;
  const servers = input.servers.map((server) => ({ entry: server.entry, status: serverStatus(server, shiftMs) }));
  const statuses = servers.map(({ status }) => status);
  const backends = backendStatuses(input.backends, servers);
  const drafts = conditions({ backends, servers, proxies, desired, context });
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: drafts.map((draft) => settle(draft, previous, generation, now + shiftMs)),
    ...(address === null ? {} : { address }),
    sessions: statuses.reduce((sum, server) => sum + server.sessions, 0),
    draining: statuses.filter((server) => server.state === 'Draining').length,
    summary: `${backends.filter((backend) => backend.ready > 0).length}/${backends.length}`,
    backends,
    proxies: { desired, ready: proxies.reachable, synced: proxies.synced },
  };
}

interface ListedServer {
  readonly entry: RosterEntry;
  readonly status: ServerStatus;
}

/** In the order of the spec, then those that are on their way out. */
function backendStatuses(specs: StatusInput['backends'], servers: readonly ListedServer[]): BackendStatus[] {
  const weights = servers.filter(({ entry }) => entry.drain.kind === 'active').map(({ entry }) => entry.weight);
  const replicas = new Map(specs.map((backend) => [backend.name, backend.replicas]));
  const grouped = Map.groupBy(servers, ({ entry }) => entry.backend);
  const names = new Set([...specs.map(({ name }) => name), ...grouped.keys()]);
  let left = LISTED_SERVERS;
  return [...names].slice(0, LISTED_BACKENDS).map((name) => {
    const members = grouped.get(name) ?? [];
    const listed = members.slice(0, left).map(({ status }) => status);
    left -= listed.length;
    const state = members.length === 0 && replicas.get(name) === 0 ? 'Drained' : bestState(members);
    return { name, state, ...backendFigures(members, weights), servers: listed };
  });
}

function backendFigures(members: readonly ListedServer[], weights: readonly number[]): Omit<BackendStatus, 'name' | 'state' | 'servers'> {
  const active = members.filter(({ entry }) => entry.drain.kind === 'active');
  const shown = (active[0] ?? members[0])?.entry;
  const weight = active.reduce((sum, { entry }) => sum + entry.weight, 0); // summed first: fifty times two and a bit is not fifty times two
  return {
    weight: shown?.weight ?? 0,
    sharePercent: sharePercent(weight, weights),
    maxConnections: shown?.maxConnections ?? 0,
    sessions: members.reduce((sum, { status }) => sum + status.sessions, 0),
    ready: members.filter(({ status }) => serves(status.state)).length,
    total: members.length,
  };
}

const BEST_FIRST: readonly ServerStateName[] = [
  'Up',
  'Full',
  'Checking',
  'Joining',
  'RefusesProxy',
  'Hung',
  'Unreachable',
  'Down',
  'Draining',
  'Drained',
  'Unknown',
];

/** The state of a backend is that of its best server. */
function bestState(members: readonly ListedServer[]): ServerStateName {
  if (members.length === 0) return 'Down';
  return BEST_FIRST.find((state) => members.some(({ status }) => status.state === state)) ?? 'Unknown';
}

function settle(draft: ConditionDraft, previous: PoolStatus | null, generation: number | undefined, now: number): Condition {
  const before = previous?.conditions.find((condition) => condition.type === draft.type);
  return {
    ...draft,
    lastTransitionTime: before !== undefined && before.status === draft.status ? before.lastTransitionTime : rfc3339(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
