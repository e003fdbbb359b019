import type { V1Deployment, V1DeploymentStrategy, V1ObjectMeta, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import { graceSeconds, IN_ROTATION_CONDITION, PORT_ANNOTATION, readTemplate, TEMPLATE_ANNOTATION } from '../../api/v1alpha1/index.ts';
import { type Child, type ChildOf, contentName } from '../child.ts';
import { agentAnnotations, type ManagedBackend, withBackendAgent } from './backend-agent.ts';
import { ANY_IMAGE, type NewPods, progressDeadlineSeconds, REVISION_HISTORY } from './deployment.ts';
import { backendName, childMetadata, labels, selector } from './identity.ts';

/** What the Deployment of a backend is made of. */
export interface BackendRollout {
  readonly pods: NewPods;
  /** Whether a change of the pod template must wait for its turn; the Deployment is paused then, so that it can still be scaled. */
  readonly held: boolean;
}

/** The Deployment of a managed backend. */
export function backendDeployment(managed: ManagedBackend, { held, pods }: BackendRollout): Child {
  const { backend, pool, spec } = managed;
  const metadata = childMetadata(pool, backendName(pool, backend.name), 'backend', backend.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, annotations: { [TEMPLATE_ANNOTATION]: pods.name } },
    spec: {
      ...(backend.replicas === undefined ? {} : { replicas: backend.replicas }),
      paused: held,
      revisionHistoryLimit: REVISION_HISTORY,
      progressDeadlineSeconds: progressDeadlineSeconds(spec),
      selector: { matchLabels: selector(pool, 'backend', backend.name) },
      strategy: strategy(managed),
      template: podTemplate(managed, pods.agentImage),
    },
  } satisfies ChildOf<'Deployment', V1Deployment>;
}

/** Name of the pod template that a backend should have. */
export function backendTemplateName(managed: ManagedBackend): string {
  return contentName(podTemplate(managed, ANY_IMAGE));
}

function strategy({ backend, spec }: ManagedBackend): V1DeploymentStrategy {
  if (spec.rollout.strategy === 'Surge') return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  // A single pod really goes before the next one comes. Among several, a Deployment starts the next one while the old one is terminating.
  if (backend.replicas === 1) return { type: 'Recreate' };
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
}

/** The user's template with what the pool needs: labels, the port, the readiness gate, the agent, and time to drain in. */
function podTemplate(managed: ManagedBackend, agentImage: string): V1PodTemplateSpec {
  const { backend, pool, spec } = managed;
  const template = backend.podTemplate ?? spec.podTemplate ?? {};
  const { annotations, labels: theirs } = readTemplate(template);
  const withAgent = withBackendAgent(template, managed, agentImage);
  const gates = Array.isArray(withAgent['readinessGates']) ? withAgent['readinessGates'] : [];
  const pod = {
    ...withAgent,
    readinessGates: [...gates.filter((gate) => gate?.conditionType !== IN_ROTATION_CONDITION), { conditionType: IN_ROTATION_CONDITION }],
    terminationGracePeriodSeconds: withAgent['terminationGracePeriodSeconds'] ?? graceSeconds(spec.drain.deadline),
  };
  return {
    ...template,
    metadata: {
      ...(template['metadata'] as object | undefined),
      labels: { ...theirs, ...labels(pool, 'backend', backend.name) },
      annotations: { ...annotations, [PORT_ANNOTATION]: String(backend.port), ...agentAnnotations(agentImage) },
    } as V1ObjectMeta,
    spec: pod as unknown as V1PodSpec, // what a person wrote: the API server knows its fields, and says what it does not know
  };
}
