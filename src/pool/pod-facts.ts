import type { AgentFacts } from './agent-upgrade.ts';

/** Facts about a pod that decide what its server line should be. */
export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  /** Name of the backend that it was made for. */
  readonly backend: string;
  /** Where its CCcam server listens. */
  readonly port: number;
  /** Canonical address, or null while the pod has none. */
  readonly address: string | null;
  /** When the pod was asked to end (deleted, evicted or scaled away), in milliseconds since the epoch; null while it was not. */
  readonly terminatingSince: number | null;
  /** How long it was given for it, in milliseconds. */
  readonly gracePeriodMs: number | null;
  /** What the drain annotation says, or null without one. */
  readonly drain: string | null;
  /** What the clock annotation says: when the drain began. */
  readonly drainSince: string | null;
  /** The pod's `ContainersReady`; not `Ready`, which waits for our own readiness gate and so would wait for us. */
  readonly containersReady: boolean;
  /** Whether every container has ended for good; such a pod serves no clients. */
  readonly finished: boolean;
  /** Port of the agent beside the server, or null where there is none. */
  readonly agentPort: number | null;
  readonly agent: AgentFacts | null;
  /** What ReplicaSets go by when they choose a pod to end, or null. */
  readonly deletionCost: string | null;
  /** The pod conditions that we write, by type. */
  readonly conditions: ReadonlyMap<string, { readonly status: string; readonly since: string }>;
}

/** What the line of a server should be: not there, there without new sessions, or in rotation. */
export type WantedState = 'absent' | 'drain' | 'ready';

/** State of a managed server from its pod; a pod that is gone is null. */
export function podServerState(
  pod: Pick<PodFacts, 'address' | 'terminatingSince' | 'containersReady' | 'finished'> | null,
  drainRequested: boolean,
): WantedState {
  if (pod === null || pod.address === null || pod.finished) return 'absent';
  return pod.terminatingSince !== null || drainRequested || !pod.containersReady ? 'drain' : 'ready';
}
