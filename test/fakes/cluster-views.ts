import { understand } from '../../src/operator/pool-record.ts';
import type { ClusterView } from '../../src/pool/cluster-view.ts';

import { SETTINGS } from './settings.ts';

/** Uid of the pool `n/p`. */
export const UID = 'pool';

/** What is known of the pool `n/p` in a moment in which nothing is there yet. */
export function aClusterView(spec: object, changes: Partial<ClusterView> = {}): ClusterView {
  const reading = understand({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec });
  if (reading.kind !== 'accepted') throw new Error(JSON.stringify(reading.issues));
  return {
    identity: { namespace: 'n', name: 'p', uid: UID },
    generation: 1,
    paused: false,
    reading,
    roster: [],
    settings: { ...SETTINGS, agentPeers: ['cccam-system'] },
    pods: [],
    children: new Map(),
    verified: new Map(),
    refusals: [],
    proxies: [],
    address: null,
    status: null,
    sinceStatusMs: 0,
    ...changes,
  };
}
