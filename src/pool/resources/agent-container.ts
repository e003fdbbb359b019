import type { V1SecurityContext } from '@kubernetes/client-node';

/** Rights of every container that the operator makes: the restricted profile, whatever the pod around it allows. */
export const CONTAINER_SECURITY: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};
