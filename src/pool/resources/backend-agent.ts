import type { V1Container, V1Probe } from '@kubernetes/client-node';
import {
  AGENT_IMAGE_ANNOTATION,
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
import { ANY_ADDRESS } from '../../runtime/server-address.ts';
import { preStopHook } from '../../wire/pre-stop.ts';
import { CONTAINER_SECURITY, NODE_ADDRESS } from './agent-container.ts';
import type { PoolIdentity } from './identity.ts';

/** The user that the image names; a number, because a name does not prove that it is not root. */
const USER = 65_532;

/** Says where the agent is, and of which image it was asked to be. */
export function agentAnnotations(image: string): Readonly<Record<string, string>> {
  return { [AGENT_PORT_ANNOTATION]: String(BACKEND_AGENT.port), [AGENT_IMAGE_ANNOTATION]: image };
}

/** A managed backend, with the pool that it belongs to. */
export interface ManagedBackend {
  readonly pool: PoolIdentity;
  readonly spec: PoolSpec;
  readonly backend: BackendSpec;
}

/**
 * The pod spec of a user's template with the agent beside the server: it counts its sessions, and keeps the pod until they have ended.
 * Whatever the user has set stays; what would contradict was refused before.
 */
export function withBackendAgent(template: unknown, managed: ManagedBackend, image: string): Json {
  const { containers, initContainers, spec: theirs } = readTemplate(template);
  const server = cccamContainerIndex(containers, managed.backend.port);
  return {
    // Neither the server nor its agent speaks to the API server.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...theirs,
    initContainers: [...initContainers, sidecar(managed, image)],
    containers: containers.map((container, index) =>
      index === server ? probed(waiting(container, managed, 'server')) : waiting(container, managed, 'helper'),
    ),
  };
}

/**
 * A container with the hook that waits for the server's sessions. Not the server alone waits: what it needs beside it, such as a tunnel or
 * a card reader, would be ended hours before it. One with a hook of its own keeps that.
 */
function waiting(container: Json, { spec }: ManagedBackend, part: 'server' | 'helper'): Json {
  const call = { deadlineMs: durationMs(spec.drain.deadline), close: spec.drain.onDeadline === 'Close', helper: part === 'helper' };
  const preStop = preStopHook(call, BACKEND_AGENT.port);
  return { ...container, lifecycle: { preStop, ...json(container['lifecycle']) } };
}

/** The server's container, with a readiness probe where it has none. */
function probed(container: Json): Json {
  // The socket table tells whether it listens; connecting to the server would be a line in its log each second.
  const probe: V1Probe = {
    httpGet: { path: '/listening', port: BACKEND_AGENT.port },
    periodSeconds: 1,
    timeoutSeconds: 3,
    failureThreshold: 3,
  };
  return { ...container, readinessProbe: container['readinessProbe'] ?? probe };
}

/** A native sidecar: it starts before the server, and goes on until the server has ended. */
function sidecar({ backend }: ManagedBackend, image: string): V1Container {
  return {
    name: BACKEND_AGENT.name,
    image,
    restartPolicy: 'Always',
    args: ['backend-agent', '--port', String(backend.port), '--http', `[${ANY_ADDRESS}]:${BACKEND_AGENT.port}`],
    env: [NODE_ADDRESS],
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
