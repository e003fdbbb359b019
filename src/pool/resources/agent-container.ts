/** Rights of every container that the operator makes: the restricted profile, whatever the pod around it allows. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const;

/** Stands for the agents' image where a pod template is named: another image alone makes no other template. */
export const ANY_IMAGE = '';

/** What the new pods of a Deployment are. */
export interface NewPods {
  /** Name of their template, with any image of the agent. */
  readonly name: string;
  readonly agentImage: string;
}
