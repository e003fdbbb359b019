import type {
  BackendSpec,
  BackendStatus,
  Condition,
  ConditionReason,
  ConditionType,
  PoolStatus,
  ServerStateName,
  ServerStatus,
} from '../api/v1alpha1/index.ts';
import type { HealthState } from '../haproxy/health/health-state.ts';
import { healthWords } from '../haproxy/health/health-words.ts';
import { hostPort } from '../runtime/host-port.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import type { Attention } from './attention.ts';
import { drainProgress } from './drain.ts';
import type { Roster, RosterEntry } from './roster.ts';
import type { ServerStanding } from './server-standing.ts';
import { sharePercent } from './weights.ts';

/** How a server does, over all proxies; a server that no proxy has reported yet is missing. */
export interface ServerFacts extends ServerStanding {
  readonly sessions: number;
  /** Whether every worker of every proxy has reported its sessions. */
  readonly counted: boolean;
  /** Whether every proxy sends nobody new there. */
  readonly outOfRotation: boolean;
  /** Whether every proxy that takes new clients would send it some. */
  readonly inRotation: boolean;
  /** Whether it stays in rotation: where no proxy counts as ready, as after a failed probe, what their HAProxies do decides. */
  readonly staysInRotation: boolean;
}

/** What the proxies said of themselves. */
export interface ProxyFacts {
  readonly desired: number;
  readonly reachable: number;
  readonly synced: number;
  /** Proxies that are there and do not run what was asked for. */
  readonly lagging: number;
  /** Names of proxies that find no server healthy, while others do. */
  readonly isolated: readonly string[];
  /** Names of proxies that more than half of the capacity stopped answering together. */
  readonly panicking: readonly string[];
  /** System errors that keep proxies from probing servers, such as `EADDRNOTAVAIL`. */
  readonly localErrors: readonly string[];
  /** Sessions over all of them. */
  readonly sessions: number;
  /** Addresses that sessions come from, and sessions of the one with the most. */
  readonly clients: { readonly addresses: number; readonly most: number };
  /** Clients turned away in the last minute: by the limits of their address, and because a proxy was full. */
  readonly refusedLately: { readonly client: number; readonly full: number };
  /** Local ports of the proxy with the fewest left. */
  readonly localPorts: { readonly taken: number; readonly of: number };
  /** Sessions that the proxy with the fewest places can hold; 0 while that is not known. */
  readonly maxConnections: number;
  /** What they complain of, by code. */
  readonly errors: readonly string[];
  readonly servers: ReadonlyMap<string, ServerFacts>;
}

/** What nobody has said anything about yet. */
export const NO_PROXY: Omit<ProxyFacts, 'desired'> = {
  reachable: 0,
  synced: 0,
  lagging: 0,
  isolated: [],
  panicking: [],
  localErrors: [],
  sessions: 0,
  clients: { addresses: 0, most: 0 },
  refusedLately: { client: 0, full: 0 },
  localPorts: { taken: 0, of: 0 },
  maxConnections: 0,
  errors: [],
  servers: new Map(),
};

/** What a status needs to know of a pool. */
export interface StatusSubject {
  readonly generation: number | undefined;
  readonly backends: readonly Pick<BackendSpec, 'name' | 'replicas'>[];
}

/** What else a status tells of; a box without Kubernetes knows nothing of the kind. */
export interface StatusContext {
  /** Why the pool as it stands was refused, so that an earlier one serves; or null. */
  readonly refusal: string | null;
  readonly paused: boolean;
  /** Objects that have the names of children and belong to somebody else. */
  readonly notOwned: readonly string[];
  /** Backends whose pods are being replaced, or wait for it. */
  readonly rolling: readonly string[];
  /** What the owner should mind. */
  readonly attentions: readonly Attention[];
}

const NO_CONTEXT: StatusContext = { refusal: null, paused: false, notOwned: [], rolling: [], attentions: [] };

/** Servers that are listed one by one; more are summed up, so that a status stays well below what etcd takes. */
const LISTED_SERVERS = 256;

/**
 * The status of a pool: what was read back. Transition times move only when a condition's status does.
 *
 * @param previous the status of before, for its transition times
 * @param now milliseconds since the epoch
 */
export function poolStatus(
  pool: StatusSubject,
  roster: Roster,
  proxies: ProxyFacts,
  address: string | null,
  previous: PoolStatus | null,
  now: number,
  context: StatusContext = NO_CONTEXT,
): PoolStatus {
  const states = new Map(roster.map((entry) => [entry.name, serverStatus(entry, proxies.servers.get(entry.name), now)]));
  const backends = backendStatuses(pool, roster, states);
  const { generation } = pool;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditions(backends, roster, states, proxies, context).map((drafted) => settle(drafted, previous, generation, now)),
    ...(address === null ? {} : { address }),
    sessions: [...states.values()].reduce((sum, server) => sum + server.sessions, 0),
    draining: [...states.values()].filter((server) => server.state === 'Draining').length,
    summary: `${backends.filter((backend) => backend.ready > 0).length}/${backends.length}`,
    backends,
    proxies: { desired: proxies.desired, ready: proxies.reachable, synced: proxies.synced },
  };
}

function serverStatus(entry: RosterEntry, facts: ServerFacts | undefined, now: number): ServerStatus {
  const progress = drainProgress(
    entry.drain,
    entry.deadlineMs,
    facts?.counted === true ? facts.sessions : null,
    facts?.outOfRotation ?? false,
    now,
  );
  const times =
    entry.drain.kind === 'draining' ? { since: rfc3339(entry.drain.since), deadline: rfc3339(entry.drain.since + entry.deadlineMs) } : {};
  return {
    name: entry.name,
    address: hostPort(entry.address, entry.port),
    state: progress.kind === 'drained' ? 'Drained' : progress.kind === 'active' ? activeState(entry, facts) : 'Draining',
    sessions: facts?.sessions ?? 0,
    ...times,
    ...(progress.kind === 'active' ? messageOf(facts) : {}),
  };
}

function activeState(entry: RosterEntry, facts: ServerFacts | undefined): ServerStateName {
  if (facts === undefined) return 'Unknown';
  if (entry.weight === 0) return facts.counted && facts.sessions === 0 && facts.outOfRotation ? 'Drained' : 'Draining'; // without an end
  if (facts.health === null) return facts.inRotation ? 'Up' : 'Joining';
  return facts.health === 'up' && !facts.inRotation ? 'Joining' : STATES[facts.health];
}

const STATES: Readonly<Record<HealthState, ServerStateName>> = {
  joining: 'Joining',
  up: 'Up',
  checking: 'Checking',
  full: 'Full',
  refusing: 'RefusesProxy',
  unreachable: 'Unreachable',
  hung: 'Hung',
  down: 'Down',
};

/** Why a server is not simply up, and what to do. */
function messageOf(facts: ServerFacts | undefined): { message?: string } {
  if (facts === undefined || facts.health === null) return {};
  const { cause, health, learnedLimit, limitIsSure, sessions } = facts;
  const message = healthWords({ state: health, cause, sessions, learnedLimit, limitIsSure });
  return message === '' ? {} : { message };
}

/** Whether a server serves its clients, with room for more or without. */
function serves(state: ServerStateName | undefined): boolean {
  return state === 'Up' || state === 'Full';
}

/** In the order of the spec, then those that are on their way out. */
function backendStatuses(pool: StatusSubject, roster: Roster, states: ReadonlyMap<string, ServerStatus>): BackendStatus[] {
  const weights = roster.filter((entry) => entry.drain.kind === 'active').map((entry) => entry.weight);
  const replicas = new Map(pool.backends.map((backend) => [backend.name, backend.replicas]));
  const grouped = new Map<string, RosterEntry[]>(pool.backends.map((backend) => [backend.name, []]));
  for (const entry of roster) grouped.set(entry.backend, [...(grouped.get(entry.backend) ?? []), entry]);
  let room = LISTED_SERVERS;
  return [...grouped].map(([name, entries]) => {
    const servers = entries.flatMap((entry) => states.get(entry.name) ?? []);
    const active = entries.filter((entry) => entry.drain.kind === 'active');
    const shown = active[0] ?? entries[0];
    const listed = servers.slice(0, room);
    room -= listed.length;
    return {
      name,
      state: servers.length === 0 && replicas.get(name) === 0 ? 'Drained' : summed(servers),
      weight: shown?.weight ?? 0,
      // Summed first: fifty times two and a bit is not fifty times two.
      sharePercent: sharePercent(
        active.reduce((sum, entry) => sum + entry.weight, 0),
        weights,
      ),
      maxConnections: shown?.maxConnections ?? 0,
      sessions: servers.reduce((sum, server) => sum + server.sessions, 0),
      ready: servers.filter((server) => serves(server.state)).length,
      total: servers.length,
      servers: listed,
    };
  });
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
function summed(servers: readonly ServerStatus[]): ServerStateName {
  if (servers.length === 0) return 'Down';
  return BEST_FIRST.find((state) => servers.some((server) => server.state === state)) ?? 'Unknown';
}

interface Draft {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: ConditionReason;
  readonly message: string;
}

function conditions(
  backends: readonly BackendStatus[],
  roster: Roster,
  states: ReadonlyMap<string, ServerStatus>,
  proxies: ProxyFacts,
  context: StatusContext,
): Draft[] {
  const synced = proxies.synced >= proxies.desired && proxies.lagging === 0;
  const up = (role: RosterEntry['role']): boolean => roster.some((entry) => entry.role === role && serves(states.get(entry.name)?.state));
  const down = [
    ...roster
      .filter((entry) => entry.drain.kind === 'active' && entry.weight > 0 && !serves(states.get(entry.name)?.state))
      .map((entry) => `${entry.name}${states.get(entry.name)?.message === undefined ? '' : `: ${states.get(entry.name)?.message}`}`),
    ...backends.filter((backend) => backend.total === 0 && backend.state === 'Down').map((backend) => backend.name),
  ];
  const draining = roster.filter((entry) => entry.drain.kind === 'draining').map((entry) => entry.name);
  return [
    context.refusal === null
      ? { type: 'Accepted', status: 'True', reason: 'Valid', message: 'The pool is in force.' }
      : { type: 'Accepted', status: 'False', reason: 'Invalid', message: context.refusal },
    syncedCondition(synced, proxies),
    readyCondition(synced, up('Active'), up('Backup'), context),
    progressingCondition(synced, draining, context),
    degradedCondition(down, proxies, context.notOwned),
    attentionCondition(context.attentions),
  ];
}

function progressingCondition(synced: boolean, draining: readonly string[], { paused, rolling }: StatusContext): Draft {
  const type = 'Progressing';
  if (paused) return { type, status: 'False', reason: 'Paused', message: 'Nothing but this status is written while the pool is paused.' };
  if (rolling.length > 0) return { type, status: 'True', reason: 'RollingOut', message: listed(rolling) };
  if (draining.length > 0) return { type, status: 'True', reason: 'Draining', message: listed(draining) };
  if (!synced) return { type, status: 'True', reason: 'Syncing', message: 'Waiting for the proxies.' };
  return { type, status: 'False', reason: 'Settled', message: 'Nothing is under way.' };
}

function attentionCondition(attentions: readonly Attention[]): Draft {
  const [first] = attentions;
  if (first === undefined) return { type: 'Attention', status: 'False', reason: 'AllClear', message: 'Nothing needs attention.' };
  return {
    type: 'Attention',
    status: 'True',
    reason: first.reason,
    message: attentions
      .map(({ message, reason }, index) => (index === 0 ? message : `${reason}: ${message}`)) // the first one is the condition's own
      .join(' ')
      .slice(0, 4_096),
  };
}

function degradedCondition(down: readonly string[], { isolated, panicking }: ProxyFacts, notOwned: readonly string[]): Draft {
  const type = 'Degraded';
  if (notOwned.length > 0) {
    const message = `Not ours, and left alone: ${listed(notOwned)}. Rename the pool, or remove what has its name.`;
    return { type, status: 'True', reason: 'NotOwned', message };
  }
  if (panicking.length > 0) {
    const message = `More than half of the capacity stopped answering together (${listed(panicking)}). No session is closed for it. Check the network between the proxies and the servers.`;
    return { type, status: 'True', reason: 'ServersLost', message };
  }
  if (down.length > 0) return { type, status: 'True', reason: 'ServerDown', message: listed(down) };
  if (isolated.length > 0) {
    const message = `${listed(isolated)}: reaches no server, while others do. Can its node reach the servers?`;
    return { type, status: 'True', reason: 'NoReachableServers', message };
  }
  return { type, status: 'False', reason: 'AllServersUp', message: 'Every server that should serve is up.' };
}

function syncedCondition(synced: boolean, proxies: ProxyFacts): Draft {
  const complaints = proxies.errors.length === 0 ? '' : ` They say ${listed(proxies.errors)}.`;
  const message = `${proxies.synced} of ${proxies.desired} proxies run what was asked for.${complaints}`;
  if (synced) return { type: 'ProxiesSynced', status: 'True', reason: 'Synced', message };
  return { type: 'ProxiesSynced', status: 'False', reason: proxies.reachable < proxies.desired ? 'Unreachable' : 'Syncing', message };
}

function readyCondition(synced: boolean, active: boolean, backup: boolean, { refusal }: StatusContext): Draft {
  const type = 'Ready';
  if (refusal !== null)
    return { type, status: 'False', reason: 'Invalid', message: 'This generation was refused; the last good one goes on serving.' };
  if (!synced) return { type, status: 'False', reason: 'Syncing', message: 'Not every proxy runs this generation.' };
  if (active) return { type, status: 'True', reason: 'Serving', message: 'At least one Active server takes sessions.' };
  return {
    type,
    status: 'False',
    reason: backup ? 'OnBackup' : 'NoServerUp',
    message: backup ? 'No Active server is up; Backup servers take the sessions.' : 'No server takes new sessions.',
  };
}

function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function settle(draft: Draft, previous: PoolStatus | null, generation: number | undefined, now: number): Condition {
  const before = previous?.conditions.find((condition) => condition.type === draft.type);
  return {
    ...draft,
    lastTransitionTime: before !== undefined && before.status === draft.status ? before.lastTransitionTime : rfc3339(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
