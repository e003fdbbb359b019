import type { V1EnvVar, V1SecurityContext } from '@kubernetes/client-node';

/** Rights of every container that the operator makes: the restricted profile, whatever the pod around it allows. */
export const CONTAINER_SECURITY: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** Tells an agent the address of its node, so that it knows the kubelet when it calls. */
export const NODE_ADDRESS: V1EnvVar = {
  name: 'CCCAM_NODE_ADDRESS',
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.hostIP' } },
};
