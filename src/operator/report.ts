import { API_VERSION, KIND } from '../api/v1alpha1/index.ts';
import { isStatus } from '../kube/api-error.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { Outcome } from '../pool/cluster-view.ts';
import type { PodPatch } from '../pool/pod-patch.ts';
import type { PoolEvent } from '../pool/pool-event.ts';
import { type ApiTools, Attempts, MANAGER, type Pass } from './pass.ts';
import { writeToPod } from './pod-write.ts';
import { POD, POOL } from './resources.ts';

const STATUS_MANAGER = 'cccam-operator-status';

/** What it takes to report. */
export interface ReportTools extends ApiTools {
  readonly events: Pick<EventRecorder, 'record'>;
  /** Waits a moment while something is being applied that clients feel. Called before each write. */
  readonly yieldToApplies: (signal: AbortSignal) => Promise<void>;
  readonly onEventLost: (thrown: unknown) => void;
}

/**
 * Reports on a pool: on its pods, in its status and in Events. Clients feel nothing of it, so it waits behind everything that they feel.
 *
 * @throws KubeApiError, or an AggregateError of several, for what another try can heal
 */
export async function report(pass: Pass<ReportTools>, { pods, status, statusEvents }: Outcome['report']): Promise<void> {
  const { signal, state, tools } = pass;
  const attempts = new Attempts();
  for (const patch of pods) {
    await tools.yieldToApplies(signal);
    await attempts.try(patchPod(pass, patch));
  }
  const written = status === null || (await attempts.try(writeStatus(pass, status))) !== null;
  // The status must be written before an Event reports the change.
  if (written) await recordEvents(pass, [...state.pendingEvents.splice(0), ...statusEvents]);
  attempts.finish();
}

async function patchPod(pass: Pass, { annotations, conditions, name, uid }: PodPatch): Promise<void> {
  const { signal, tools } = pass;
  if (annotations !== null) {
    await writeToPod(pass, name, async (ref) => await tools.client.merge(ref, { metadata: { uid, annotations } }, MANAGER, signal));
  }
  if (conditions !== null) {
    const body = { apiVersion: POD.apiVersion, kind: POD.kind, metadata: { name, uid }, status: { conditions } };
    const options = { manager: STATUS_MANAGER, force: true, subresource: 'status' } as const;
    await writeToPod(pass, name, async (ref) => await tools.client.apply(ref, body, options, signal));
  }
}

/** @returns true; a pool that was deleted meanwhile needs no status */
async function writeStatus({ signal, state, tools, view }: Pass<ReportTools>, status: object): Promise<true> {
  await tools.yieldToApplies(signal);
  const { namespace, name, uid } = view.identity;
  const body = { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace, uid }, status };
  const options = { manager: STATUS_MANAGER, force: true, subresource: 'status' } as const;
  try {
    const written = await tools.client.apply({ type: POOL, namespace, name }, body, options, signal);
    tools.watches.put({ ...written, apiVersion: API_VERSION, kind: KIND });
  } catch (thrown) {
    if (!isStatus(thrown, 404)) throw thrown;
  }
  state.statusAt = tools.clock.monotonic();
  return true;
}

async function recordEvents({ signal, tools, view }: Pass<ReportTools>, events: readonly PoolEvent[]): Promise<void> {
  const regarding = { apiVersion: API_VERSION, kind: KIND, ...view.identity };
  for (const { type, reason, note } of events) {
    await tools.yieldToApplies(signal);
    await tools.events.record({ regarding, type, reason, action: 'Reconcile', note }, signal).catch(tools.onEventLost);
  }
}
