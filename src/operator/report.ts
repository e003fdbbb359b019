import { AGENT_IMAGE_ANNOTATION, AGENT_REPLACED_ANNOTATION, API_VERSION, KIND } from '../api/v1alpha1/index.ts';
import { isStatus } from '../kube/api-error.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeObject, ObjectRef } from '../kube/resource.ts';
import type { AgentPatch } from '../pool/agent-upgrade.ts';
import type { ClusterView, Outcome } from '../pool/cluster-view.ts';
import type { PodPatch } from '../pool/pod-patch.ts';
import type { PoolEvent } from '../pool/pool-event.ts';
import { type ApiTools, MANAGER } from './apply.ts';
import type { ReconcileState } from './reconcile-state.ts';
import { POD, POOL } from './resources.ts';

const STATUS_MANAGER = 'cccam-operator-status';

export interface ReportTools extends ApiTools {
  readonly events: EventRecorder;
  /** Waits a moment while something is being done that clients feel. Called before each write. */
  readonly yieldToApplies: (signal: AbortSignal) => Promise<void>;
  readonly onEventLost: (thrown: unknown) => void;
}

/**
 * Tells what has become of a pool: on its pods, in its status and in Events. Nothing of it is felt by clients, so it waits behind
 * everything that is; and so does another image for its agents.
 *
 * @throws KubeApiError for what another try can heal
 */
export async function tell(
  tools: ReportTools,
  view: ClusterView,
  outcome: Outcome,
  state: ReconcileState,
  signal: AbortSignal,
): Promise<void> {
  const failures: unknown[] = [];
  const onPod = async (work: Promise<void>): Promise<void> => {
    await work.catch((thrown: unknown) => failures.push(thrown)); // the others, and the status, all the same
  };
  for (const patch of outcome.pods) {
    await tools.yieldToApplies(signal);
    await onPod(patchPod(tools, view, patch, signal));
  }
  for (const patch of outcome.agents) await onPod(upgradeAgent(tools, view, patch, signal));
  if (outcome.status !== null) {
    await tools.yieldToApplies(signal);
    await writeStatus(tools, view, outcome.status, signal);
    state.statusAt = tools.clock.monotonic();
  }
  await recordEvents(tools, view, [...state.pendingEvents.splice(0), ...outcome.statusEvents], signal);
  if (failures.length > 0) throw failures[0];
}

async function patchPod(
  tools: ReportTools,
  view: ClusterView,
  { annotations, conditions, name, uid }: PodPatch,
  signal: AbortSignal,
): Promise<void> {
  if (annotations !== null) {
    await onThatPod(tools, view, name, async (ref) => await tools.client.merge(ref, { metadata: { uid, annotations } }, MANAGER, signal));
  }
  if (conditions !== null) {
    const body = { apiVersion: POD.apiVersion, kind: POD.kind, metadata: { name, uid }, status: { conditions } };
    await onThatPod(tools, view, name, async (ref) => await tools.client.apply(ref, body, STATUS_MANAGER, true, signal, 'status'));
  }
}

async function upgradeAgent(
  tools: ReportTools,
  view: ClusterView,
  { container, image, name, replaces, uid }: AgentPatch,
  signal: AbortSignal,
): Promise<void> {
  const metadata = { uid, annotations: { [AGENT_REPLACED_ANNOTATION]: replaces, [AGENT_IMAGE_ANNOTATION]: image } };
  const body = { metadata, spec: { initContainers: [{ name: container, image }] } };
  await onThatPod(tools, view, name, async (ref) => await tools.client.mergeByName(ref, body, MANAGER, signal));
}

/** Writes to a pod. Where it is gone, or another one has its name, there is nobody to write to. */
async function onThatPod(
  tools: ReportTools,
  view: ClusterView,
  name: string,
  write: (ref: ObjectRef) => Promise<KubeObject>,
): Promise<void> {
  try {
    const written = await write({ type: POD, namespace: view.identity.namespace, name });
    tools.watches.put({ ...written, apiVersion: POD.apiVersion, kind: POD.kind });
  } catch (thrown) {
    if (!isStatus(thrown, 404) && !isStatus(thrown, 409)) throw thrown;
  }
}

async function writeStatus(tools: ReportTools, view: ClusterView, status: object, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = view.identity;
  const body = { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace, uid }, status };
  try {
    tools.watches.put({
      ...(await tools.client.apply({ type: POOL, namespace, name }, body, STATUS_MANAGER, true, signal, 'status')),
      apiVersion: API_VERSION,
      kind: KIND,
    });
  } catch (thrown) {
    if (!isStatus(thrown, 404)) throw thrown; // the pool was deleted meanwhile
  }
}

async function recordEvents(tools: ReportTools, view: ClusterView, events: readonly PoolEvent[], signal: AbortSignal): Promise<void> {
  const regarding = { apiVersion: API_VERSION, kind: KIND, ...view.identity };
  for (const { type, reason, note } of events) {
    await tools.yieldToApplies(signal);
    await tools.events.record({ regarding, type, reason, action: 'Reconcile', note }, signal).catch(tools.onEventLost);
  }
}
