import type { V1Role, V1RoleBinding, V1ServiceAccount } from '@kubernetes/client-node';
import type { Child, ChildOf } from '../child.ts';
import { childMetadata, type PoolIdentity, proxyName } from './identity.ts';

/** Who the proxy agents are. */
export function serviceAccount(pool: PoolIdentity): Child {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    automountServiceAccountToken: false, // the agent is given a token of its own; HAProxy gets none
  } satisfies ChildOf<'ServiceAccount', V1ServiceAccount>;
}

/** What the proxy agents may do: read the one ConfigMap of their pool. */
export function role(pool: PoolIdentity): Child {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [proxyName(pool)], verbs: ['get', 'list', 'watch'] }],
  } satisfies ChildOf<'Role', V1Role>;
}

/** Gives the proxy agents that role. */
export function roleBinding(pool: PoolIdentity): Child {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: proxyName(pool) },
    subjects: [{ kind: 'ServiceAccount', name: proxyName(pool), namespace: pool.namespace }],
  } satisfies ChildOf<'RoleBinding', V1RoleBinding>;
}
