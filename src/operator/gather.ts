import { API_VERSION, KIND } from '../api/v1alpha1/index.ts';
import { objectKey } from '../kube/resource.ts';
import type { ChildFacts } from '../pool/child.ts';
import { proxyName } from '../pool/resources/identity.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import type { PoolReading, World } from '../pool/world.ts';
import type { ChildRecord } from './child-record.ts';
import type { PoolMemory } from './memory.ts';
import { type PoolRecord, understand } from './pool-record.ts';
import type { ProxyListeners } from './proxy-listeners.ts';
import type { Watches } from './watches.ts';

/** Gathers what is known of a pool in this moment. @param at on the clock that never jumps */
export function gather(
  pool: PoolRecord,
  watches: Watches,
  listeners: ProxyListeners,
  memory: PoolMemory,
  settings: ClusterSettings,
  at: number,
): World {
  const key = objectKey(pool.namespace, pool.name);
  const records = watches.childrenOf(key);
  const pods = watches.pods.by(key);
  const map = records.find((record) => recordKey(record) === `ConfigMap/${proxyName(pool)}` && record.facts.ownerUid === pool.uid);
  const children = new Map<string, ChildFacts>(records.map((record) => [recordKey(record), record.facts]));
  for (const [name, stranger] of memory.foreign) {
    if (!children.has(name)) children.set(name, strangerFacts(stranger));
  }
  return {
    identity: { namespace: pool.namespace, name: pool.name, uid: pool.uid },
    generation: pool.generation,
    paused: pool.paused,
    reading: reading(pool, map),
    // What was saved outlives this process; what is remembered outlives the ConfigMap.
    roster: map?.saved?.value.roster ?? memory.roster.value,
    settings,
    pods: pods.flatMap((pod) => pod.backend ?? []),
    children,
    verified: new Map(
      [...memory.verified]
        .filter(([name, { uid }]) => children.get(name)?.uid === uid)
        .map(([name, { fingerprint }]) => [name, fingerprint]),
    ),
    refusals: [...memory.refused.values()].map(({ message }) => message),
    proxies: listeners.reports(pods),
    address: records.find((record) => recordKey(record) === `Service/${pool.name}` && record.facts.ownerUid === pool.uid)?.address ?? null,
    status: pool.status?.value ?? null,
    sinceStatusMs: at - memory.statusAt,
  };
}

/** `Kind/name`. */
export function recordKey(record: Pick<ChildRecord, 'kind' | 'name'>): string {
  return `${record.kind}/${record.name}`;
}

function reading(pool: PoolRecord, map: ChildRecord | undefined): PoolReading {
  const asItStands = pool.reading.value;
  if (asItStands.kind === 'accepted') return asItStands;
  const spec = map?.saved?.value.spec;
  if (spec === undefined) return { ...asItStands, lastGood: null };
  const before = understand({ apiVersion: API_VERSION, kind: KIND, metadata: { name: pool.name }, spec });
  return { ...asItStands, lastGood: before.kind === 'accepted' ? { pool: before.pool, spec } : null };
}

function strangerFacts({ uid, ownerUid }: { readonly uid: string; readonly ownerUid: string | null }): ChildFacts {
  return { uid, ownerUid: ownerUid ?? '', applied: null, fingerprint: '', content: null, deployment: null };
}
