import { describe, expect, it } from 'vitest';
import { UID } from '../../test/fakes/cluster-views.ts';
import { ANYTHING, SETTINGS } from '../../test/fakes/settings.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { PoolReading } from '../pool/cluster-view.ts';
import type { TenantPolicy } from '../pool/tenant-policy.ts';
import { savedStateText } from '../wire/saved-state.ts';
import { childRecord } from './child-record.ts';
import { clusterView } from './cluster-view.ts';
import { PoolReader } from './pool-record.ts';
import { newReconcileState } from './reconcile-state.ts';

const INSIDE = { name: 'inside', external: { address: '10.96.0.10' } };
const OUTSIDE = { name: 'outside', external: { address: '192.0.2.1' } };

/** How the pool `n/p` is read that once had these backends. */
function reading(before: readonly object[], now: unknown, policy: Partial<TenantPolicy>): PoolReading {
  const metadata = { name: 'p', namespace: 'n', uid: UID, generation: 2 };
  const pool = new PoolReader().read({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata, spec: now });
  const map: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'p-haproxy',
      namespace: 'n',
      labels: { 'cccam.dev/pool': 'p' },
      ownerReferences: [{ apiVersion: 'x', kind: 'CccamPool', name: 'p', uid: UID, controller: true }],
    },
    data: { 'state.json': savedStateText({ spec: { backends: before }, roster: [] }) },
  };
  const watches = { childrenOf: () => [childRecord(map)], isOurs: () => false, proxiesOf: () => [], serversOf: () => [] };
  const settings = { ...SETTINGS, policy: { ...ANYTHING, ...policy } };
  return clusterView(pool, { watches, listeners: { reports: () => [] }, settings }, newReconcileState(), 0).reading;
}

function backends(found: PoolReading): string[] | null {
  if (found.kind === 'accepted') return found.pool.spec.backends.map(({ name }) => name);
  return found.lastGood?.pool.spec.backends.map(({ name }) => name) ?? null;
}

describe('clusterView', () => {
  it('goes on with the pool that was valid last where the one that is there is refused', () => {
    const found = reading([INSIDE, OUTSIDE], { backends: [] }, {});
    expect([found.kind, backends(found)]).toEqual(['refused', ['inside', 'outside']]);
  });

  it('takes servers out of what was valid last that the installation refuses by now', () => {
    const refusedNetworks = ['10.96.0.0/12'];
    for (const now of [{ backends: [] }, { backends: [INSIDE, OUTSIDE] }]) {
      const found = reading([INSIDE, OUTSIDE], now, { refusedNetworks });
      expect([found.kind, backends(found)]).toEqual(['refused', ['outside']]);
    }
  });

  it('goes on with nothing where every server of what was valid last is refused by now', () => {
    expect(backends(reading([INSIDE], { backends: [] }, { refusedNetworks: ['10.96.0.0/12'] }))).toBeNull();
  });
});
