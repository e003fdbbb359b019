import { expect } from 'vitest';
import { DRAIN_SINCE_ANNOTATION, TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import { understand } from '../../src/operator/pool-record.ts';
import type { Child, DeploymentFacts } from '../../src/pool/child.ts';
import type { Outcome } from '../../src/pool/cluster-view.ts';
import { drainVerdict } from '../../src/pool/drain.ts';
import type { PodFacts } from '../../src/pool/pod-facts.ts';
import { DELETION_COST_ANNOTATION } from '../../src/pool/pod-patch.ts';
import type { RosterEntry } from '../../src/pool/roster.ts';

/** A pod of the model, and the template that it was made from. */
export interface ModelPod {
  facts: PodFacts;
  template: string;
}

const REPLICAS = 2;

/** Reads the pool that the model has. @param pool `template` is the number of its image; `broken` makes it one that is refused */
export function readPool(pool: { readonly backends: readonly string[]; readonly template: number; readonly broken: boolean }) {
  return readSpec({
    backends: [...pool.backends.map((name) => ({ name, replicas: REPLICAS })), { name: 'x', external: { address: '192.0.2.1' } }],
    podTemplate: { spec: { containers: [{ name: 'c', image: `i:${pool.template}` }] } },
    ...(pool.broken ? { health: { interval: '1s', fastInterval: '2s' } } : {}),
  });
}

/** Reads a spec as the operator does. */
export function readSpec(spec: unknown) {
  return understand({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec });
}

/** A pod with what the operator writes to it. */
export function patched(facts: PodFacts, patch: Outcome['report']['pods'][number]): PodFacts {
  const since = patch.annotations?.[DRAIN_SINCE_ANNOTATION];
  const cost = patch.annotations?.[DELETION_COST_ANNOTATION];
  const conditions = new Map(facts.conditions);
  for (const each of patch.conditions ?? []) conditions.set(each.type, { status: each.status, since: each.lastTransitionTime });
  return {
    ...facts,
    drainSince: since === undefined ? facts.drainSince : since,
    deletionCost: cost === undefined ? facts.deletionCost : cost,
    conditions,
  };
}

/** Whether a pass has changed nothing. */
export function isIdle({ changes, report }: Outcome): boolean {
  return changes.apply.length + changes.remove.length + report.pods.length === 0 && report.status === null;
}

/** A Deployment goes only when no pod of it has sessions that may go on. */
export function checkMayGo(entry: RosterEntry, sessions: number, now: number): void {
  const verdict = drainVerdict(entry, { sessions, counted: true, outOfRotation: true }, now);
  const may = verdict.kind === 'drained' || (verdict.kind === 'draining' && verdict.overdue);
  expect(may, `${entry.name} goes with its sessions`).toBe(true);
}

/** Backends that a rollout has taken a pod from: never two at once. */
export class Outages {
  #down = new Set<string>();

  /** Remembers which backends are down before a step. */
  before(deployments: readonly { readonly child: Child; readonly facts: DeploymentFacts }[]): void {
    this.#down = new Set(deployments.filter(({ facts }) => facts.available < facts.wanted).map(({ child }) => child.metadata.name));
  }

  /** One may begin while others are down for another reason; two that were whole may not. */
  check(deployments: readonly Child[], pods: readonly ModelPod[]): void {
    const rolling = deployments.filter((child) => {
      const backend = child.metadata.labels['cccam.dev/backend'];
      if (backend === undefined || (child['spec'] as { paused?: boolean }).paused === true) return false;
      const template = child.metadata.annotations[TEMPLATE_ANNOTATION];
      return pods.some((pod) => pod.facts.backend === backend && pod.template !== template && pod.facts.terminatingSince === null);
    });
    const whole = rolling.filter((child) => !this.#down.has(child.metadata.name));
    expect(whole.length, `rolling at once: ${whole.map((child) => child.metadata.name).join(', ')}`).toBeLessThanOrEqual(1);
  }
}

/** When each pod's drain began, as the test saw it: a clock that runs is never restarted. */
export class DrainClocks {
  readonly #began = new Map<string, number>();

  /** @param drain `asked`: somebody asks for it; `judged`: the operator judges now; `since`: what it says */
  check(facts: PodFacts, drain: { readonly asked: boolean; readonly judged: boolean; readonly since: number | null }): void {
    if (!drain.asked) this.#began.delete(facts.uid);
    if (!drain.asked || !drain.judged || drain.since === null) return;
    const before = this.#began.get(facts.uid);
    if (before !== undefined) expect(drain.since, `the clock of ${facts.name} was restarted`).toBeLessThanOrEqual(before);
    this.#began.set(facts.uid, drain.since);
  }
}
