import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import type { Child, ChildOf } from '../child.ts';
import { backendsName, type Component, childMetadata, type PoolIdentity, proxyName, selector } from './identity.ts';

/**
 * At most one pod of all backends together may be evicted at a time, and one proxy. A pod that is drained already may always go: it
 * serves no clients, and it would otherwise keep its node from being drained.
 */
export function disruptionBudgets(pool: PoolIdentity): readonly Child[] {
  return [budget(pool, 'backend', backendsName(pool)), budget(pool, 'proxy', proxyName(pool))];
}

function budget(pool: PoolIdentity, component: Component, name: string): Child {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMetadata(pool, name, component),
    spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: selector(pool, component) } },
  } satisfies ChildOf<'PodDisruptionBudget', V1PodDisruptionBudget>;
}
