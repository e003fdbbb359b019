import { API_VERSION, KIND, PROXY_PORT } from '../api/v1alpha1/index.ts';
import { objectKey } from '../kube/resource.ts';
import type { ChildFacts } from '../pool/child.ts';
import type { ClusterView, PoolReading } from '../pool/cluster-view.ts';
import { proxyName } from '../pool/resources/identity.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import { type IsOwn, selfTargets, withoutSelfTargets } from '../pool/self-target.ts';
import { policyIssues, type TenantPolicy } from '../pool/tenant-policy.ts';
import { isWithin } from '../runtime/server-address.ts';
import type { ChildRecord } from './child-record.ts';
import type { PodRecord } from './pod-record.ts';
import { type PoolRecord, understand } from './pool-record.ts';
import type { ProxyListeners } from './proxy-listeners.ts';
import type { ReconcileState } from './reconcile-state.ts';
import type { Watches } from './watches.ts';

/** Where a view is gathered from. */
export interface ViewSources {
  readonly watches: Pick<Watches, 'childrenOf' | 'isOurs' | 'proxiesOf' | 'serversOf'>;
  readonly listeners: Pick<ProxyListeners, 'reports'>;
  readonly settings: ClusterSettings;
}

/** Gathers what is known of a pool in this moment. @param now on the monotonic clock */
export function clusterView(
  pool: PoolRecord,
  { listeners, settings, watches }: ViewSources,
  state: ReconcileState,
  now: number,
): ClusterView {
  const key = objectKey(pool.namespace, pool.name);
  const records = watches.childrenOf(key);
  const proxyPods = watches.proxiesOf(key);
  const proxies = listeners.reports(proxyPods);
  const service = records.find((record) => recordKey(record) === `Service/${pool.name}` && record.facts.ownerUid === pool.uid);
  const map = records.find((record) => recordKey(record) === `ConfigMap/${proxyName(pool)}` && record.facts.ownerUid === pool.uid);
  // What was saved outlives this process; what is remembered outlives the ConfigMap.
  const roster = map?.saved?.value.roster ?? state.roster.value;
  // A pod that is a server stays one: a Deployment that is deleted by hand is gone before its pods, which still have sessions.
  const known = new Set(roster.flatMap(({ pod }) => pod?.uid ?? []));
  const children = new Map<string, ChildFacts>(records.map((record) => [recordKey(record), record.facts]));
  for (const [name, other] of state.notOwned) {
    if (!children.has(name)) children.set(name, notOwnedFacts(other));
  }
  return {
    identity: { namespace: pool.namespace, name: pool.name, uid: pool.uid },
    generation: pool.generation,
    paused: pool.paused,
    reading: reading(
      settings.policy,
      pool,
      map,
      ownTargets(
        service,
        proxyPods.filter((pod) => proxies.some(({ uid }) => uid === pod.uid)),
      ),
    ),
    roster,
    settings,
    pods: watches.serversOf(key).flatMap((pod) => (known.has(pod.uid) || watches.isOurs(pod) ? (pod.backend ?? []) : [])),
    children,
    verified: new Map(
      [...state.verified]
        .filter(([name, { uid }]) => children.get(name)?.uid === uid)
        .map(([name, { fingerprint }]) => [name, fingerprint]),
    ),
    refusals: [...state.refused.values()].map(({ message }) => message),
    proxies,
    address: service?.address ?? null,
    status: pool.status?.value ?? null,
    sinceStatusMs: now - state.statusAt,
  };
}

/** `Kind/name`. */
export function recordKey(record: Pick<ChildRecord, 'kind' | 'name'>): string {
  return `${record.kind}/${record.name}`;
}

function reading(policy: TenantPolicy, pool: PoolRecord, map: ChildRecord | undefined, ownAt: (port: number) => IsOwn): PoolReading {
  const asItStands = pool.reading.value;
  // What was saved may be older than what the installation forbids now, or be changed by hand.
  const never = (port: number): IsOwn => {
    const isOwn = ownAt(port);
    return (address, at) => isOwn(address, at) || isWithin(address, policy.refusedNetworks);
  };
  if (asItStands.kind === 'accepted') {
    const { spec } = asItStands.pool;
    const issues = [...policyIssues(pool.namespace, asItStands.pool, policy), ...selfTargets(spec, ownAt(spec.port))];
    if (issues.length === 0) return asItStands;
    return { kind: 'refused', issues, lastGood: lastGood(pool, map, never) };
  }
  return { ...asItStands, lastGood: lastGood(pool, map, never) };
}

/** The last valid pool, as it was saved. An address may have become the pool's own after it was accepted. */
function lastGood(pool: PoolRecord, map: ChildRecord | undefined, ownAt: (port: number) => IsOwn): LastGood {
  const spec = map?.saved?.value.spec;
  if (spec === undefined) return null;
  const before = understand({ apiVersion: API_VERSION, kind: KIND, metadata: { name: pool.name }, spec });
  if (before.kind !== 'accepted') return null;
  const without = withoutSelfTargets(before.pool, ownAt(before.pool.spec.port));
  return without === null ? null : { pool: without, spec };
}

type LastGood = Extract<PoolReading, { kind: 'refused' }>['lastGood'];

/** What leads to the proxies of a pool: the addresses of its Service, at the pool's port, and its pods. */
function ownTargets(service: ChildRecord | undefined, pods: readonly PodRecord[]): (port: number) => IsOwn {
  const addresses = new Set(service?.addresses);
  const proxies = new Set(pods.flatMap(({ proxy }) => proxy?.address ?? []));
  return (own) => (address, port) => (port === own && addresses.has(address)) || (port === PROXY_PORT && proxies.has(address));
}

function notOwnedFacts({ uid, ownerUid }: { readonly uid: string; readonly ownerUid: string | null }): ChildFacts {
  return { uid, ownerUid: ownerUid ?? '', applied: null, fingerprint: '', content: null, deployment: null };
}
