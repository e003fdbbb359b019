import { TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import { type Child, type ChildFacts, comparable, contentName, type DeploymentFacts } from '../../src/pool/child.ts';
import type { ProxyReport } from '../../src/pool/proxy-report.ts';
import type { ModelPod } from './cluster-pods.ts';
import type { ProxyConfigFacts } from './proxy-statement.ts';
import { SETTINGS } from './settings.ts';

/** What an operator knows of the pool that never changes here. */
export const UNCHANGING = {
  identity: { namespace: 'n', name: 'p', uid: 'pool-uid' },
  paused: false,
  settings: SETTINGS,
  verified: new Map<string, string>(),
  refusals: [],
  address: '203.0.113.1:12000',
  sinceStatusMs: 1_000_000,
};

/** What a ConfigMap asks of the proxies. */
export function proxyConfigOf(child: Child): ProxyConfigFacts {
  const text = (child['data'] as Record<string, string>)['proxy.json'] ?? '';
  const { servers } = JSON.parse(text) as { servers: { name: string; state: string }[] };
  return { text, servers: new Map(servers.map(({ name, state }) => [name, state])) };
}

/** What an operator sees of an object that it has made. */
export function childFacts(uid: string, child: Child, deployment: DeploymentFacts | null): ChildFacts {
  const { apiVersion: _v, kind: _k, metadata, ...body } = child;
  const { annotations, labels, ownerReferences } = metadata;
  const content = { value: { ...comparable(body), labels, annotations, ownerReferences } };
  const applied = metadata.annotations['cccam.dev/applied'] ?? null;
  return { uid, ownerUid: UNCHANGING.identity.uid, applied, fingerprint: contentName(content.value), content, deployment };
}

/** What a Deployment's status says when its controller has caught up. */
export function deploymentFacts(child: Child, all: readonly ModelPod[]): DeploymentFacts {
  const backend = child.metadata.labels['cccam.dev/backend'];
  const template = child.metadata.annotations[TEMPLATE_ANNOTATION] ?? null;
  const pods = all.filter((pod) => pod.facts.backend === backend && pod.facts.terminatingSince === null);
  const { paused, replicas } = child['spec'] as { paused?: boolean; replicas?: number };
  return {
    template,
    agentImage: 'a',
    paused: paused === true,
    observed: true,
    wanted: replicas ?? 1,
    updated: pods.filter((pod) => pod.template === template).length,
    total: pods.length,
    available: pods.filter((pod) => pod.facts.conditions.get('cccam.dev/InRotation')?.status === 'True' && pod.facts.containersReady)
      .length,
  };
}

/** The report of a proxy that says this. */
export function reportOf(said: ProxyReport['said'], index: number): ProxyReport {
  const name = `proxy${index}`;
  return { name, uid: name, agent: null, ready: true, terminatingSince: null, gracePeriodMs: null, said, error: null };
}
