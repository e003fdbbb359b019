import { APPLIED_ANNOTATION, type CccamPool, IN_ROTATION_CONDITION, TEMPLATE_ANNOTATION } from '../api/v1alpha1/index.ts';
import { type Child, type ChildFacts, type ChildKind, childKey, countOf, differs, isOurs, named } from './child.ts';
import type { ClusterView } from './cluster-view.ts';
import type { PoolServer } from './decide.ts';
import type { PoolEvent } from './pool-event.ts';
import { role, roleBinding, serviceAccount } from './resources/access.ts';
import { backendDeployment, backendTemplateName } from './resources/backend-deployment.ts';
import type { NewPods } from './resources/deployment.ts';
import { disruptionBudgets } from './resources/disruption-budgets.ts';
import { backendName, type PoolIdentity, proxyName } from './resources/identity.ts';
import { networkPolicies, service } from './resources/network.ts';
import { proxyDeployment, proxyTemplateName } from './resources/proxy-deployment.ts';
import { heldBackends, type RolloutCandidate, rollingBackends } from './rollout.ts';

/** What is to be done with the objects of a pool. */
export interface ChildPlan {
  readonly apply: readonly Child[];
  readonly remove: readonly { readonly kind: ChildKind; readonly name: string; readonly uid: string }[];
  /** `Kind/name` of objects with the pool's names that something else owns. */
  readonly notOwned: readonly string[];
  /** Backends whose pods are being replaced, or wait for it. */
  readonly rolling: readonly string[];
  /** Whether it takes pods away. */
  readonly disruptive: boolean;
  readonly events: readonly PoolEvent[];
}

/** What a plan for the objects of a pool starts from. */
export interface ChildPlanInput {
  readonly pool: CccamPool;
  /** The ConfigMap, which comes first because clients feel it. */
  readonly map: Child;
  readonly servers: readonly PoolServer[];
  /** Whether the pool was refused: everything but the ConfigMap stays as it is then. */
  readonly frozen: boolean;
}

/** Decides which objects of a pool are applied and which are deleted. */
export function planChildren(view: ClusterView, { frozen, map, pool, servers }: ChildPlanInput): ChildPlan {
  const { identity, children } = view;
  const candidates = rolloutCandidates(view, pool);
  const held = heldBackends(candidates, pool.spec.rollout.maxUnavailableBackends);
  const wanted = frozen ? [map] : [map, ...otherChildren(view, pool, candidates, held).map(named)];
  const factsOf = (child: Child): ChildFacts | undefined => children.get(childKey(child));
  const [ours, others] = [
    wanted.filter((child) => isOurs(factsOf(child), identity.uid)),
    wanted.filter((child) => !isOurs(factsOf(child), identity.uid)),
  ];
  const safe = others.some(isFoundation) ? ours.filter((child) => !standsOnIt(child, identity)) : ours;
  const apply = view.paused ? [] : safe.filter((child) => differs(child, factsOf(child), view.verified.get(childKey(child)) ?? null));
  const remove = view.paused || frozen ? [] : removals(view, pool, wanted, servers);
  const notOwned = others.map(childKey);
  return {
    apply,
    remove,
    notOwned,
    rolling: frozen ? [] : rollingBackends(candidates),
    disruptive: remove.length > 0 || apply.some((child) => beginsRollout(child, factsOf(child)) || takesPods(child, factsOf(child))),
    events: childEvents(view, apply, remove, notOwned),
  };
}

/** What the proxies follow, and the account that they run as: with another's, they are worse than none. */
function isFoundation({ kind }: Child): boolean {
  return kind === 'ConfigMap' || kind === 'ServiceAccount' || kind === 'Role' || kind === 'RoleBinding';
}

function standsOnIt(child: Child, identity: PoolIdentity): boolean {
  return child.kind === 'Service' || childKey(child) === `Deployment/${proxyName(identity)}`;
}

function otherChildren(view: ClusterView, pool: CccamPool, candidates: readonly RolloutCandidate[], held: ReadonlySet<string>): Child[] {
  const templates = new Map(candidates.map(({ backend, template }) => [backend, template]));
  const { identity, settings } = view;
  const { spec } = pool;
  const managed = spec.backends.filter((backend) => backend.external === undefined);
  return [
    serviceAccount(identity),
    role(identity),
    roleBinding(identity),
    service(identity, spec),
    ...networkPolicies(identity, spec, settings),
    ...disruptionBudgets(identity),
    ...managed.map((backend) => {
      const pods = newPods(view, backendName(identity, backend.name), templates.get(backend.name) ?? '');
      return backendDeployment({ pool: identity, spec, backend }, { held: held.has(backend.name), pods });
    }),
    proxyDeployment(identity, spec, settings, newPods(view, proxyName(identity), proxyTemplateName(identity, spec, settings))),
  ];
}

/**
 * A Deployment's new pods. The image of their agents stays as it is while nothing else of their template changes: with another one the
 * Deployment would replace every pod, and it is changed in the pods themselves instead.
 */
function newPods(view: ClusterView, deployment: string, name: string): NewPods {
  const facts = view.children.get(`Deployment/${deployment}`)?.deployment;
  return { name, agentImage: (facts?.template === name ? facts.agentImage : null) ?? view.settings.agentImage };
}

function rolloutCandidates({ children, identity, pods }: ClusterView, { spec }: CccamPool): RolloutCandidate[] {
  const alive = pods.filter((pod) => !pod.finished);
  const terminating = new Set(alive.filter((pod) => pod.terminatingSince !== null).map((pod) => pod.backend));
  const inRotation = alive.filter((pod) => pod.terminatingSince === null && pod.conditions.get(IN_ROTATION_CONDITION)?.status === 'True');
  return spec.backends
    .filter((backend) => backend.external === undefined)
    .map((backend) => ({
      backend: backend.name,
      template: backendTemplateName({ pool: identity, spec, backend }),
      weightZero: backend.weight === 0,
      deployment: children.get(`Deployment/${backendName(identity, backend.name)}`)?.deployment ?? null,
      ready: inRotation.filter((pod) => pod.backend === backend.name && pod.containersReady).length,
      waits: spec.rollout.strategy === 'Replace' && terminating.has(backend.name),
    }));
}

/** Whether applying it makes a Deployment replace its pods. */
function beginsRollout(child: Child, facts: ChildFacts | undefined): boolean {
  if (child.kind !== 'Deployment' || facts === undefined || facts.deployment === null) return false;
  const { paused } = child['spec'] as { paused?: boolean };
  const template = child.metadata.annotations[TEMPLATE_ANNOTATION];
  return paused !== true && (facts.deployment.paused || (template !== undefined && template !== facts.deployment.template));
}

/** Whether applying it makes a Deployment smaller, or lets go of a count that may be ours alone. */
function takesPods(child: Child, facts: ChildFacts | undefined): boolean {
  if (child.kind !== 'Deployment' || facts === undefined || facts.deployment === null) return false;
  return facts.deployment.wanted > (countOf(child) ?? 1);
}

/** Deployments of backends that have left the spec. Each stays until its servers are empty or their deadline has passed. */
function removals(view: ClusterView, { spec }: CccamPool, wanted: readonly Child[], servers: readonly PoolServer[]): ChildPlan['remove'] {
  const keys = new Set(wanted.map(childKey));
  const mustStay = ({ facts, verdict }: PoolServer): boolean => {
    if (verdict.kind === 'draining' && verdict.overdue) return spec.drain.onDeadline === 'Keep' || facts?.sessions !== 0;
    return verdict.kind !== 'drained';
  };
  const stay = (name: string): boolean =>
    servers.some(
      (server) => server.entry.pod !== undefined && backendName(view.identity, server.entry.backend) === name && mustStay(server),
    );
  return [...view.children]
    .filter(([key, facts]) => key.startsWith('Deployment/') && !keys.has(key) && facts.ownerUid === view.identity.uid)
    .map(([key, facts]) => ({ kind: 'Deployment' as const, name: key.slice('Deployment/'.length), uid: facts.uid }))
    .filter(({ name }) => !stay(name));
}

function childEvents(view: ClusterView, apply: readonly Child[], remove: ChildPlan['remove'], notOwned: readonly string[]): PoolEvent[] {
  const restored = apply.filter((child) => {
    const facts = view.children.get(childKey(child));
    return facts?.applied === child.metadata.annotations[APPLIED_ANNOTATION] && view.verified.has(childKey(child));
  });
  const begun = apply.filter((child) => beginsRollout(child, view.children.get(childKey(child))));
  return [
    ...restored.map(
      (child): PoolEvent => ({
        type: 'Warning',
        reason: 'ChildRestored',
        note: `${childKey(child)} was changed by something else, and is changed back`,
      }),
    ),
    ...notOwned.map(
      (key): PoolEvent => ({ type: 'Warning', reason: 'NotOwned', note: `${key} is owned by something else, and left alone` }),
    ),
    ...remove.map(({ kind, name }): PoolEvent => ({ type: 'Normal', reason: 'ChildRemoved', note: `${kind}/${name} is no longer needed` })),
    ...begun.map(
      (child): PoolEvent => ({ type: 'Normal', reason: 'RolloutBegan', note: `the pods of ${child.metadata.name} are being replaced` }),
    ),
  ];
}
