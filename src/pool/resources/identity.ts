import { API_VERSION, BACKEND_LABEL, KIND, POOL_LABEL } from '../../api/v1alpha1/index.ts';
import type { ChildMetadata } from '../child.ts';

/** Which pool the children belong to. */
export interface PoolIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a child of a pool belongs to. */
export type Component = 'backend' | 'proxy';

const MANAGER = 'cccam-operator';
/** Finds everything that the operator has made. */
export const MANAGED_SELECTOR = `app.kubernetes.io/managed-by=${MANAGER}`;

/** Name of everything that belongs to the proxies: ConfigMap, Deployment, ServiceAccount, Role and so on. */
export function proxyName(pool: Pick<PoolIdentity, 'name'>): string {
  return `${pool.name}-${PROXY_SUFFIX}`;
}

/** Name of what belongs to all backends together. */
export function backendsName(pool: Pick<PoolIdentity, 'name'>): string {
  return `${pool.name}-backends`;
}

/** Names of everything of a pool but the Deployments of its backends. */
export function childNames(pool: Pick<PoolIdentity, 'name'>): readonly string[] {
  return [pool.name, proxyName(pool), backendsName(pool)];
}

/** What the proxies' objects end with; no backend may have this name. */
export const PROXY_SUFFIX = 'haproxy';

/** Name of a backend's Deployment. */
export function backendName(pool: Pick<PoolIdentity, 'name'>, backend: string): string {
  return `${pool.name}-${backend}`;
}

/** Labels of every child: the usual five, the pool, and the backend where there is one. */
export function labels(pool: PoolIdentity, component: Component, backend?: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'cccam',
    'app.kubernetes.io/instance': pool.name,
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/part-of': 'cccam',
    'app.kubernetes.io/managed-by': MANAGER,
    ...selector(pool, component, backend),
  };
}

/** Labels that choose the pods of a pool; they never change, because the selector of a Deployment cannot. */
export function selector(pool: PoolIdentity, component: Component, backend?: string): Record<string, string> {
  return {
    [POOL_LABEL]: pool.name,
    [COMPONENT_LABEL]: component,
    ...(backend === undefined ? {} : { [BACKEND_LABEL]: backend }),
  };
}

/** Tells the pods of proxies from those of backends. */
export const COMPONENT_LABEL = 'cccam.dev/component';

/** Metadata of a child, owned by the pool, so that it goes when the pool goes. */
export function childMetadata(pool: PoolIdentity, name: string, component: Component, backend?: string): ChildMetadata {
  return {
    name,
    namespace: pool.namespace,
    labels: labels(pool, component, backend),
    annotations: {},
    ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name: pool.name, uid: pool.uid, controller: true, blockOwnerDeletion: true }],
  };
}
