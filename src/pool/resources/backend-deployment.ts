import {
  type BackendSpec,
  durationMs,
  IN_ROTATION_CONDITION,
  PORT_ANNOTATION,
  type PoolSpec,
  TEMPLATE_ANNOTATION,
} from '../../api/v1alpha1/index.ts';
import { type Child, contentName } from '../child.ts';
import { backendName, childMetadata, labels, type PoolIdentity, selector } from './identity.ts';

/** Time between the end of a drain and the end of its pod. */
const AFTER_DRAIN_S = 60;

/**
 * The Deployment of a managed backend.
 *
 * @param held whether a change of the pod template must wait for its turn; the Deployment is paused then, so that it can still be scaled
 */
export function backendDeployment(pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec, held: boolean): Child {
  const template = podTemplate(pool, spec, backend);
  const metadata = childMetadata(pool, backendName(pool, backend.name), 'backend', backend.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, annotations: { [TEMPLATE_ANNOTATION]: contentName(template) } },
    spec: {
      ...(backend.replicas === undefined ? {} : { replicas: backend.replicas }),
      paused: held,
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: 2 * deadlineSeconds(spec) + 600, // a rollout waits for drains, and that is no failure
      selector: { matchLabels: selector(pool, 'backend', backend.name) },
      strategy: strategy(spec, backend),
      template,
    },
  };
}

/** Name of the pod template that a backend should have. */
export function templateName(pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec): string {
  return contentName(podTemplate(pool, spec, backend));
}

function strategy(spec: PoolSpec, backend: BackendSpec): object {
  if (spec.rollout.strategy === 'Surge') return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  // A single pod really goes before the next one comes. Among several, a Deployment starts the next one while the old one still ends.
  if (backend.replicas === 1) return { type: 'Recreate' };
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
}

interface Template {
  readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec?: {
    readonly readinessGates?: readonly { readonly conditionType: string }[];
    readonly terminationGracePeriodSeconds?: number;
  };
}

/** The user's template with what the pool needs: labels, the port, the readiness gate, and time to drain in. */
function podTemplate(pool: PoolIdentity, spec: PoolSpec, backend: BackendSpec): object {
  const theirs: Template = backend.podTemplate ?? spec.podTemplate ?? {};
  const gates = (theirs.spec?.readinessGates ?? []).filter((gate) => gate.conditionType !== IN_ROTATION_CONDITION);
  return {
    ...theirs,
    metadata: {
      ...theirs.metadata,
      labels: { ...theirs.metadata?.labels, ...labels(pool, 'backend', backend.name) },
      annotations: { ...theirs.metadata?.annotations, [PORT_ANNOTATION]: String(backend.port) },
    },
    spec: {
      ...theirs.spec,
      readinessGates: [...gates, { conditionType: IN_ROTATION_CONDITION }],
      terminationGracePeriodSeconds: theirs.spec?.terminationGracePeriodSeconds ?? deadlineSeconds(spec) + AFTER_DRAIN_S,
    },
  };
}

function deadlineSeconds(spec: PoolSpec): number {
  return Math.ceil(durationMs(spec.drain.deadline) / 1_000);
}
