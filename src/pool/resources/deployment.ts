import { durationMs, type PoolSpec } from '../../api/v1alpha1/index.ts';

/** Old ReplicaSets that are kept, for a rollback by hand. */
export const REVISION_HISTORY = 3;

/** When a rollout counts as stuck, in seconds: it waits for drains, so a long one is not a failure. */
export function progressDeadlineSeconds({ drain }: PoolSpec): number {
  return Math.ceil((2 * durationMs(drain.deadline)) / 1_000) + 600;
}

/** Stands for the agents' image where a pod template is named: another image alone makes no other template. */
export const ANY_IMAGE = '';

/** What the new pods of a Deployment are. */
export interface NewPods {
  /** Name of their template, with any image of the agent. */
  readonly name: string;
  readonly agentImage: string;
}
