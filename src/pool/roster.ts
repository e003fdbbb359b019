import { type BackendSpec, durationMs, type PoolSpec, type Role } from '../api/v1alpha1/index.ts';
import { CLOSING_RESERVE_MS } from '../wire/drain-times.ts';
import { MOST_SAVED } from '../wire/saved-roster.ts';
import { ACTIVE, type DrainReason, type DrainState, drainVerdict, nextDrainState, type SessionCount } from './drain.ts';
import { readDrainRequest, readDrainSince } from './drain-request.ts';
import { type PodFacts, podServerState } from './pod-facts.ts';
import { assignIds } from './server-ids.ts';
import { serverLimits } from './server-limits.ts';
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
  /** Sessions that it may hold over all proxies. */
  readonly maxConnections: number;
  /** How many of them each proxy may hold, by name; missing where there is only one. */
  readonly shares?: Readonly<Record<string, number>>;
  readonly role: Role;
  readonly drain: DrainState;
  /** How long its drain may take, in milliseconds. */
  readonly deadlineMs: number;
  /** The pod behind it; an external server has none. */
  readonly pod?: { readonly name: string; readonly uid: string };
  /** Set while the pod's containers are not ready: it takes no new sessions, but that is not a drain. */
  readonly containersNotReady?: true;
}

/** Every server of a pool, ordered by id. */
export type Roster = readonly RosterEntry[];

/** What a roster is made of. */
export interface RosterInput {
  readonly spec: PoolSpec;
  /** The roster of the last pass, or from before a restart. */
  readonly previous: Roster;
  /** What was read back, by server name; a server that is missing is unknown, not empty. */
  readonly counts: ReadonlyMap<string, SessionCount>;
  /** Every pod of the pool's managed backends, those of backends that are no longer in the spec among them. */
  readonly pods?: readonly PodFacts[];
}

/**
 * The roster of a pool. A server keeps its id and its drain's clock for as long as it is known. An external one that is no longer in
 * the spec, or that has moved to another address, drains first and is dropped only when it was seen out of rotation and empty; a pod's
 * server is there for exactly as long as its pod.
 *
 * @param now milliseconds since the epoch
 */
export function nextRoster({ counts, pods = [], previous, spec }: RosterInput, now: number): Roster {
  const weights = computeWeights(spec.backends, spec.weights.policy);
  const limits = serverLimits(spec.backends, weights);
  const before = new Map(previous.map((entry) => [entry.name, entry]));
  const members = [
    ...spec.backends.flatMap((backend) => (backend.external === undefined ? [] : externalMember(backend, spec))),
    ...pods.flatMap((pod) => podMember(pod, spec, before, now)),
  ];
  const names = new Set(members.map((member) => member.name));
  const leaving = mostRecent(
    previous
      .filter((entry) => !names.has(entry.name) && entry.pod === undefined)
      .flatMap((entry) => leave(entry, spec, counts.get(entry.name) ?? null, now)),
    MOST_SAVED - members.length,
  );
  const known = [...leaving, ...previous.filter((entry) => names.has(entry.name))];
  const ids = assignIds(new Map(known.map((entry) => [entry.name, entry.id])), [...names]);
  const staying = members.map((member): RosterEntry => {
    const { name, backend, address, port, role, reason, since, deadlineMs, pod, containersNotReady } = member;
    const old = before.get(name);
    const kept = old !== undefined && old.pod?.uid === pod?.uid ? old.drain : ACTIVE;
    const begun: DrainState = since === null || reason === null ? kept : nextDrainState(kept, reason, since);
    return {
      name,
      id: ids.get(name) ?? 1,
      backend,
      address,
      port,
      weight: weights.get(backend) ?? old?.weight ?? 1,
      maxConnections: limits.get(backend) ?? old?.maxConnections ?? 1,
      ...(old?.shares === undefined ? {} : { shares: old.shares }),
      role,
      drain: nextDrainState(begun, reason, now),
      deadlineMs,
      ...(pod === undefined ? {} : { pod }),
      ...(containersNotReady ? { containersNotReady } : {}),
    };
  });
  return [...staying, ...leaving].sort((a, b) => a.id - b.id);
}

/** A server that is there now, with what is asked of it. */
interface Member extends Pick<RosterEntry, 'name' | 'backend' | 'address' | 'port' | 'role' | 'deadlineMs'> {
  readonly pod: RosterEntry['pod'] | undefined;
  readonly reason: DrainReason | null;
  /** When the drain began according to what is written on the object itself, or null. */
  readonly since: number | null;
  readonly containersNotReady: true | undefined;
}

function externalMember(backend: BackendSpec, spec: PoolSpec): Member {
  return {
    name: serverName(backend),
    backend: backend.name,
    address: backend.external?.address ?? '',
    port: backend.port,
    role: backend.role,
    reason: backend.drain?.enabled === true ? 'requested' : null,
    since: null,
    deadlineMs: durationMs(backend.drain?.deadline ?? spec.drain.deadline),
    pod: undefined,
    containersNotReady: undefined,
  };
}

function podMember(pod: PodFacts, spec: PoolSpec, before: ReadonlyMap<string, RosterEntry>, now: number): Member[] {
  const request = readDrainRequest(pod.drain);
  const backend = spec.backends.find((each) => each.name === pod.backend && each.external === undefined);
  const state = podServerState(pod, request !== null || backend === undefined);
  if (state === 'absent' || pod.address === null) return [];
  const name = podServerName(pod);
  const reason = pod.terminatingSince !== null || backend === undefined ? 'removed' : request === null ? null : 'requested';
  const begun = [request === null ? null : readDrainSince(pod.drainSince, now), pod.terminatingSince].filter((time) => time !== null);
  return [
    {
      name,
      backend: pod.backend,
      address: pod.address,
      port: pod.port,
      role: backend?.role ?? before.get(name)?.role ?? 'Active',
      reason,
      since: begun.length === 0 ? null : Math.min(...begun),
      deadlineMs: Math.min(request?.deadlineMs ?? durationMs(spec.drain.deadline), timeToEnd(pod)),
      pod: { name: pod.name, uid: pod.uid },
      containersNotReady: reason === null && state === 'drain' ? true : undefined,
    },
  ];
}

/** A pod that was given less time than its drain needs is drained in what there is. */
function timeToEnd({ gracePeriodMs }: PodFacts): number {
  return gracePeriodMs === null ? Number.POSITIVE_INFINITY : Math.max(0, gracePeriodMs - CLOSING_RESERVE_MS);
}

/** Name of a pod's server. It holds the address: a pod that was given another one by its node is another server. */
export function podServerName(pod: Pick<PodFacts, 'name' | 'address' | 'port'>): string {
  return `${pod.name}-${pod.address}:${pod.port}`;
}

/** Name of an external backend's server. It holds the address and port, so that another address is another server. */
export function serverName(backend: Pick<BackendSpec, 'name' | 'port' | 'external'>): string {
  return `${backend.name}-${backend.external?.address ?? ''}:${backend.port}`;
}

/** Those that began to drain last. A spec that gets other servers again and again must not make a pool that grows without end. */
function mostRecent(leaving: readonly RosterEntry[], most: number): readonly RosterEntry[] {
  if (leaving.length <= most) return leaving;
  const since = ({ drain }: RosterEntry): number => (drain.kind === 'draining' ? drain.since : 0);
  return leaving.toSorted((a, b) => since(b) - since(a)).slice(0, Math.max(0, most));
}

function leave(entry: RosterEntry, spec: PoolSpec, count: SessionCount | null, now: number): RosterEntry[] {
  const leaving = { ...entry, drain: nextDrainState(entry.drain, 'removed', now), deadlineMs: durationMs(spec.drain.deadline) };
  return drainVerdict(leaving, count, now).kind === 'drained' ? [] : [leaving];
}
