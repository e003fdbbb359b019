import {
  type BackendSpec,
  durationMs,
  graceSeconds,
  IN_ROTATION_CONDITION,
  type Json,
  PORT_ANNOTATION,
  type PoolSpec,
  readTemplate,
  TEMPLATE_ANNOTATION,
} from '../../api/v1alpha1/index.ts';
import { type Child, contentName } from '../child.ts';
import { ANY_IMAGE, type NewPods } from './agent-container.ts';
import { agentAnnotations, withBackendAgent } from './backend-agent.ts';
import { backendName, childMetadata, labels, type PoolIdentity, selector } from './identity.ts';

/**
 * The Deployment of a managed backend.
 *
 * @param held whether a change of the pod template must wait for its turn; the Deployment is paused then, so that it can still be scaled
 */
export function backendDeployment(
  pool: PoolIdentity,
  spec: PoolSpec,
  backend: BackendSpec,
  held: boolean,
  { agentImage, name }: NewPods,
): Child {
  const metadata = childMetadata(pool, backendName(pool, backend.name), 'backend', backend.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, annotations: { [TEMPLATE_ANNOTATION]: name } },
    spec: {
      ...(backend.replicas === undefined ? {} : { replicas: backend.replicas }),
      paused: held,
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: Math.ceil(durationMs(spec.drain.deadline) / 500) + 600, // a rollout waits for drains, and that is no failure
      selector: { matchLabels: selector(pool, 'backend', backend.name) },
      strategy: strategy(spec, backend),
      template: podTemplate(pool, spec, backend, agentImage),
    },
  };
}

/** Name of the pod template that a backend should have. */
export function backendTemplateName(pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec): string {
  return contentName(podTemplate(pool, spec, backend, ANY_IMAGE));
}

function strategy(spec: PoolSpec, backend: BackendSpec): object {
  if (spec.rollout.strategy === 'Surge') return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  // A single pod really goes before the next one comes. Among several, a Deployment starts the next one while the old one still ends.
  if (backend.replicas === 1) return { type: 'Recreate' };
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
}

/** The user's template with what the pool needs: labels, the port, the readiness gate, the agent, and time to drain in. */
function podTemplate(pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec, agentImage: string): Json {
  const template = backend.podTemplate ?? spec.podTemplate ?? {};
  const { annotations, labels: theirs } = readTemplate(template);
  const withAgent = withBackendAgent(template, pool, spec, backend, agentImage);
  const gates = Array.isArray(withAgent['readinessGates']) ? withAgent['readinessGates'] : [];
  return {
    ...template,
    metadata: {
      ...(template['metadata'] as object | undefined),
      labels: { ...theirs, ...labels(pool, 'backend', backend.name) },
      annotations: { ...annotations, [PORT_ANNOTATION]: String(backend.port), ...agentAnnotations(agentImage) },
    },
    spec: {
      ...withAgent,
      readinessGates: [...gates.filter((gate) => gate?.conditionType !== IN_ROTATION_CONDITION), { conditionType: IN_ROTATION_CONDITION }],
      terminationGracePeriodSeconds: withAgent['terminationGracePeriodSeconds'] ?? graceSeconds(spec.drain.deadline),
    },
  };
}
