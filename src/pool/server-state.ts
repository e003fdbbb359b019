/** Facts about a pod that decide what its server line should be. */
export interface PodFacts {
  /** Whether the pod has an address yet. */
  readonly hasAddress: boolean;
  /** Whether the pod object has a deletion timestamp: deleted, evicted or scaled away. */
  readonly terminating: boolean;
  /** Whether a person asked for a drain by annotation. */
  readonly drainRequested: boolean;
  /** The pod's `ContainersReady`; not `Ready`, which waits for our own readiness gate and so would wait for us. */
  readonly containersReady: boolean;
}

/** What the line of a server should be: not there, there without new sessions, or in rotation. */
export type WantedState = 'absent' | 'drain' | 'ready';

/** State of a managed server from its pod; a pod that is gone is null. */
export function podServerState(pod: PodFacts | null): WantedState {
  if (pod === null || !pod.hasAddress) return 'absent';
  return pod.terminating || pod.drainRequested || !pod.containersReady ? 'drain' : 'ready';
}
