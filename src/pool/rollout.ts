import type { DeploymentFacts } from './child.ts';

/** A managed backend as a rollout sees it. */
export interface RolloutCandidate {
  readonly backend: string;
  /** Name of the pod template that it should have. */
  readonly template: string;
  /** Whether its weight is 0: then it is never in rotation, and not missed. */
  readonly weightZero: boolean;
  /** Its Deployment, whose numbers may lag behind; null while there is none. */
  readonly deployment: DeploymentFacts | null;
  /** How many of its pods take new sessions. */
  readonly ready: number;
  /** Whether a pod of it that ends must be gone before the next one follows: two may not share the cards. */
  readonly waits: boolean;
}

/**
 * Backends whose change of pod template must wait. At most `maxUnavailable` backends are changed or down at the same time; one that is
 * down already goes first, because changing it costs no sessions.
 */
export function heldBackends(candidates: readonly RolloutCandidate[], maxUnavailable: number): ReadonlySet<string> {
  const existing = candidates.filter((candidate) => candidate.deployment !== null);
  const waiting = existing.filter((candidate) => isBehind(candidate));
  const busy = existing
    .filter((candidate) => !candidate.weightZero && !isWhole(candidate.deployment))
    .map((candidate) => candidate.backend);
  const taken = new Set(busy);
  const held = new Set<string>();
  for (const { backend, deployment, waits } of existing) {
    if (waits && isHalfway(deployment)) held.add(backend);
  }
  for (const candidate of waiting) {
    const { backend } = candidate;
    if (taken.has(backend) && isDown(candidate)) continue; // going on with it takes no other backend down
    const others = taken.has(backend) ? taken.size - 1 : taken.size;
    if (others < maxUnavailable) taken.add(backend);
    else held.add(backend);
  }
  return held;
}

/** Backends that still have pods of another template than they should, or not yet all of the new ones. */
export function rollingBackends(candidates: readonly RolloutCandidate[]): readonly string[] {
  return candidates
    .filter((candidate) => candidate.deployment !== null && (isBehind(candidate) || isUnderWay(candidate.deployment)))
    .map((candidate) => candidate.backend);
}

/** Whether the backend's Deployment does not have the template yet that it should have. */
function isBehind({ deployment, template }: RolloutCandidate): boolean {
  return deployment !== null && (deployment.template !== template || deployment.paused);
}

function isUnderWay(deployment: DeploymentFacts | null): boolean {
  return (
    deployment !== null &&
    !deployment.paused &&
    (!deployment.observed || deployment.updated < deployment.wanted || deployment.total > deployment.updated)
  );
}

/** Whether the first pods are replaced and others are not, with none missing: the next one of the old ones would follow now. */
function isHalfway(deployment: DeploymentFacts | null): boolean {
  return deployment !== null && deployment.updated > 0 && deployment.updated < deployment.wanted && deployment.total >= deployment.wanted;
}

/** Whether one of its pods really is missing. Its Deployment may only not have heard yet that the last one is there. */
function isDown({ deployment, ready }: RolloutCandidate): boolean {
  return deployment !== null && ready < deployment.wanted;
}

/** Whether every pod that should be there is there, of the template that the Deployment was given, and in rotation. */
function isWhole(deployment: DeploymentFacts | null): boolean {
  if (deployment === null) return true;
  if (!deployment.observed || deployment.available < deployment.wanted) return false;
  if (deployment.paused && deployment.updated === 0) return true; // it has not begun
  return deployment.updated >= deployment.wanted && deployment.total <= deployment.wanted;
}
