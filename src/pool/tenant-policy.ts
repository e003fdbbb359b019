import type { CccamPool, FieldPath, Issue } from '../api/v1alpha1/index.ts';
import { isWithin } from '../runtime/server-address.ts';

/** What an installation forbids the owners of pools. */
export interface TenantPolicy {
  /** The operator's own namespace, where the pods of a pool could act as the operator; null where pools may be there, too. */
  readonly ownNamespace: string | null;
  /** Types that Services may have. */
  readonly serviceTypes: readonly string[];
  /** What the annotations of Services may begin with; null for anything. */
  readonly serviceAnnotations: readonly string[] | null;
  /** Networks that no server may be in, as `readNetwork` gives them. */
  readonly refusedNetworks: readonly string[];
}

/** What of a pool the installation forbids. */
export function* policyIssues(namespace: string, { spec }: CccamPool, policy: TenantPolicy): Generator<Issue> {
  if (namespace === policy.ownNamespace) {
    const message = `expected another namespace than ${namespace}, the operator's own, where pods could use its rights: move the pool`;
    yield { path: ['metadata', 'namespace'], message };
  }
  const { annotations = {}, type } = spec.proxy.service;
  const path: FieldPath = ['spec', 'proxy', 'service'];
  if (!policy.serviceTypes.includes(type)) {
    const message = `expected one of ${policy.serviceTypes.join(', ')}, found ${type}: the administrator of this cluster allows no other`;
    yield { path: [...path, 'type'], message };
  }
  for (const name of Object.keys(annotations)) {
    if (policy.serviceAnnotations === null || policy.serviceAnnotations.some((beginning) => name.startsWith(beginning))) continue;
    const message = 'expected an annotation that the administrator of this cluster allows: take this one out';
    yield { path: [...path, 'annotations', name], message };
  }
  for (const [index, { external }] of spec.backends.entries()) {
    if (external === undefined || !isWithin(external.address, policy.refusedNetworks)) continue;
    const message = `expected an address outside of the networks that the administrator of this cluster refuses, found ${external.address}`;
    yield { path: ['spec', 'backends', index, 'external', 'address'], message };
  }
}
