/** The agent's container in a pod. */
export interface AgentFacts {
  /** Image that was asked for; a cluster may have another one put in its place. */
  readonly image: string;
  /** Id of the container that runs, or null while none does. */
  readonly containerId: string | null;
  readonly ready: boolean;
  /** Id of the container that ran when its image was changed last, or null. */
  readonly replaced: string | null;
}

/** A pod with an agent. */
export interface AgentPod {
  readonly name: string;
  readonly uid: string;
  /** When its deletion was requested, or null. */
  readonly terminatingSince: number | null;
  /** Null for a pod without one. */
  readonly agent: AgentFacts | null;
}

/** What is written on a pod so that its agent, and nothing else of it, restarts. */
export interface AgentPatch {
  readonly name: string;
  readonly uid: string;
  readonly container: string;
  readonly image: string;
  /** Id of the container that goes, or `none`. */
  readonly replaces: string;
}

/** What an upgrade of agents is about. */
export interface AgentUpgrade {
  readonly container: string;
  /** The image that agents should have. */
  readonly image: string;
  /** Whether no pod of the pool is terminating. */
  readonly calm: boolean;
}

/**
 * Which agents get another image now. It is changed in the running pod, where only the agent's container restarts: an update of the
 * operator ends no session and replaces no pod. One after the other, because a pod without its agent is not ready; but agents that are not
 * ready anyway go at once.
 *
 * @param pods of one kind, all of the pool's
 */
export function agentUpgrades(pods: readonly AgentPod[], { calm, container, image }: AgentUpgrade): AgentPatch[] {
  const known = pods.flatMap((pod) => (pod.terminatingSince !== null || pod.agent === null ? [] : [{ ...pod, agent: pod.agent }]));
  const outdated = known.filter(({ agent }) => agent.image !== image);
  const idle = outdated.filter(({ agent }) => !agent.ready);
  const settled = known.every(
    ({ agent }) => agent.image !== image || agent.replaced === null || (agent.ready && agent.containerId !== agent.replaced),
  );
  const next = idle.length > 0 ? idle : settled && calm ? outdated.slice(0, 1) : [];
  return next.map(({ agent, name, uid }) => ({ name, uid, container, image, replaces: agent.containerId ?? 'none' }));
}
