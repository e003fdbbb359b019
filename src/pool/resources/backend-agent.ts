import {
  AGENT_PORT_ANNOTATION,
  BACKEND_AGENT,
  type BackendSpec,
  cccamContainerIndex,
  durationMs,
  type Json,
  json,
  type PoolSpec,
  readTemplate,
} from '../../api/v1alpha1/index.ts';
import { drainHook, drainKey } from '../../link/drain-call.ts';
import { CONTAINER_SECURITY } from './agent-container.ts';
import type { PoolIdentity } from './identity.ts';

/** The user that the image names; a number, because a name does not prove that it is not root. */
const USER = 65_532;

/** Says where the agent is. */
export const AGENT_ANNOTATIONS = { [AGENT_PORT_ANNOTATION]: String(BACKEND_AGENT.port) } as const;

/**
 * The pod spec of a user's template with the agent beside the server: it counts its sessions, and keeps the pod until nobody is left.
 * Whatever the user has set stays; what would contradict was refused before.
 */
export function withBackendAgent(template: unknown, pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec, image: string): Json {
  const { containers, initContainers, spec: theirs } = readTemplate(template);
  const server = cccamContainerIndex(containers, backend.port);
  return {
    // Neither the server nor its agent speaks to the API server.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...theirs,
    initContainers: [...initContainers, sidecar(pool, backend, image)],
    containers: containers.map((container, index) => (index === server ? drained(container, pool, spec) : container)),
  };
}

/** The server's container, with the hook that waits for its sessions, and a readiness probe where it has none. */
function drained(container: Json, pool: PoolIdentity, spec: PoolSpec): Json {
  const call = { deadlineMs: durationMs(spec.drain.deadline), close: spec.drain.onDeadline === 'Close' };
  // The socket table tells whether it listens; asking the server itself would be a line in its log each second.
  const probe = { httpGet: { path: '/listening', port: BACKEND_AGENT.port }, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 3 };
  return {
    ...container,
    readinessProbe: container['readinessProbe'] ?? probe,
    lifecycle: { ...json(container['lifecycle']), preStop: drainHook(call, BACKEND_AGENT.port, drainKey(pool.uid)) },
  };
}

/** A native sidecar: it begins before the server, and goes on until the server has ended. */
function sidecar(pool: PoolIdentity, backend: BackendSpec, image: string): Json {
  return {
    name: BACKEND_AGENT.name,
    image,
    restartPolicy: 'Always',
    args: ['backend-agent', '--port', String(backend.port), '--http', `0.0.0.0:${BACKEND_AGENT.port}`, '--drain-key', drainKey(pool.uid)],
    ports: [{ name: 'agent', containerPort: BACKEND_AGENT.port, protocol: 'TCP' }],
    livenessProbe: { httpGet: { path: '/healthz', port: 'agent' }, periodSeconds: 10, timeoutSeconds: 3 },
    resources: { requests: { cpu: '5m', memory: '64Mi' }, limits: { memory: '128Mi' } },
    securityContext: {
      ...CONTAINER_SECURITY,
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}
