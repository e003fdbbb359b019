import type { EventRecorder } from '../../src/kube/event-recorder.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import type { Pass } from '../../src/operator/pass.ts';
import { newReconcileState } from '../../src/operator/reconcile-state.ts';
import type { ReportTools } from '../../src/operator/report.ts';
import type { Child, ChildKind } from '../../src/pool/child.ts';
import { named } from '../../src/pool/child.ts';
import type { ClusterView, Outcome } from '../../src/pool/cluster-view.ts';
import type { FakeApiServer } from './api-server.ts';
import { FakeClock } from './clock.ts';
import { aClusterView, UID } from './cluster-views.ts';

/** A pass over the pool `n/p`, with everything that it hands on. */
export function aPass(server: FakeApiServer, changes: Partial<ClusterView> = {}) {
  const clock = new FakeClock();
  const seen = { put: [] as KubeObject[], events: [] as string[], lost: [] as unknown[] };
  const events: Pick<EventRecorder, 'record'> = { record: async ({ note }) => void seen.events.push(note) };
  const tools: ReportTools = {
    client: server.client(),
    watches: { put: (object) => void seen.put.push(object), settle: () => undefined },
    clock,
    random: () => 0.5,
    events,
    yieldToApplies: async () => undefined,
    onEventLost: (thrown) => void seen.lost.push(thrown),
  };
  const view = aClusterView({ backends: [{ name: 'b', external: { address: '192.0.2.1' } }] }, changes);
  const pass: Pass<ReportTools> = { tools, view, state: newReconcileState(), signal: new AbortController().signal };
  return { pass, clock, seen };
}

/** An outcome in which nothing is to be done. */
export function anOutcome(changes: Partial<Outcome['changes']> = {}, report: Partial<Outcome['report']> = {}): Outcome {
  return {
    changes: { apply: [], remove: [], disruptive: false, ...changes },
    upgrades: [],
    report: { pods: [], status: null, events: [], statusEvents: [], ...report },
    roster: [],
    requeueAfterMs: null,
  };
}

/** A child of the pool, with its content's name on it. */
export function aChild(kind: ChildKind, name: string, spec: object = {}): Child {
  const owner = { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', name: 'p', uid: UID, controller: true };
  return named({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'n', labels: {}, annotations: {}, ownerReferences: [owner] },
    spec,
  });
}
