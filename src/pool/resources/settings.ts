import type { TenantPolicy } from '../tenant-policy.ts';

/** What an installation adds to every pool. */
export interface ClusterSettings {
  /** HAProxy image of pools that name none. */
  readonly haproxyImage: string;
  /** Our own image, for the agents. */
  readonly agentImage: string;
  /** Namespaces whose pods may ask the agents: the operator's, and that of the monitoring. */
  readonly agentPeers: readonly string[];
  /** How often numbers in a status that only moved are written, in milliseconds. */
  readonly countsEveryMs: number;
  readonly policy: TenantPolicy;
}
