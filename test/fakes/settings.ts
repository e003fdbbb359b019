import type { ClusterSettings } from '../../src/pool/resources/settings.ts';
import type { TenantPolicy } from '../../src/pool/tenant-policy.ts';

/** Forbids nothing. */
export const ANYTHING: TenantPolicy = {
  ownNamespace: null,
  serviceTypes: ['LoadBalancer', 'NodePort', 'ClusterIP'],
  serviceAnnotations: null,
  refusedNetworks: [],
};

/** What an installation adds to every pool. */
export const SETTINGS: ClusterSettings = { haproxyImage: 'h', agentImage: 'a', agentPeers: [], countsEveryMs: 60_000, policy: ANYTHING };
