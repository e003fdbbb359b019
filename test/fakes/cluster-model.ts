import { expect } from 'vitest';
import { TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import { type Child, type ChildFacts, childKey, type DeploymentFacts } from '../../src/pool/child.ts';
import type { ClusterView, Outcome } from '../../src/pool/cluster-view.ts';
import type { ProxyReport } from '../../src/pool/proxy-report.ts';
import { reconcile } from '../../src/pool/reconcile.ts';
import type { Roster } from '../../src/pool/roster.ts';
import { childFacts, deploymentFacts, proxyConfigOf, reportOf, UNCHANGING } from './cluster-facts.ts';
import { checkMayGo, DrainClocks, isIdle, Outages, type ModelPod as Pod, patched, readPool, readSpec } from './cluster-pods.ts';
import type { Step } from './cluster-steps.ts';
import { aPodOf } from './pools.ts';
import { NOTHING_SAID, type ProxyConfigFacts, statementOf } from './proxy-statement.ts';
import { StatusLag } from './status-lag.ts';

/** A cluster in miniature: Deployments make and replace pods as the real controller does, and proxies do what the ConfigMap says. */
export class ClusterModel {
  #now = Date.parse('2026-01-01T00:00:00Z');
  readonly #names: string[];
  readonly #in: Set<string>;
  #template = 1;
  #broken = false;
  #number = 0;
  readonly #children = new Map<string, Child>();
  readonly #pods = new Map<string, Pod>();
  #roster: Roster = [];
  #savedSpec: unknown = null;
  #status: ClusterView['status'] = null;
  #config: ProxyConfigFacts = { text: '', servers: new Map() };
  /** What each proxy works on: the current config, or an earlier one. */
  #heard = this.#config;
  #proxies: ProxyReport['said'][] = ['pending', 'pending'];
  readonly #sessions = new Map<string, number>();
  readonly #lag = new StatusLag();
  readonly #outages = new Outages();
  readonly #clocks = new DrainClocks();

  constructor(backends: number) {
    this.#names = Array.from({ length: backends }, (_, index) => `b${index}`);
    this.#in = new Set(this.#names);
  }

  happen(step: Step): void {
    this.#outages.before(this.#deployments().map((child) => ({ child, facts: this.#deployment(child) })));
    switch (step.kind) {
      case 'time':
        this.#now += step.ms;
        break;
      case 'template':
        this.#template += 1;
        break;
      case 'refuse':
      case 'accept':
        this.#broken = step.kind === 'refuse';
        break;
      case 'all is well':
        this.#heal();
        break;
      case 'backend leaves':
        if (this.#in.size > 1) this.#in.delete(pick(this.#names, step.at) ?? '');
        break;
      case 'statuses lag':
        this.#lag.fallBehind(this.#deployments().map((child) => [childKey(child), this.#deployment(child)]));
        break;
      case 'statuses catch up':
        this.#lag.catchUp();
        break;
      case 'backend returns':
        this.#in.add(pick(this.#names, step.at) ?? 'b0');
        break;
      default:
        this.#happenToProxiesOrPods(step);
    }
    this.#controllers();
  }

  /** One pass of the operator, carried out. */
  pass(): Outcome {
    const outcome = reconcile(this.#view(), this.#now);
    this.#roster = outcome.roster;
    for (const child of outcome.changes.apply) this.#apply(child);
    for (const { name } of outcome.changes.remove) this.#remove(name);
    for (const patch of outcome.report.pods) this.#patch(patch);
    if (outcome.report.status !== null) this.#status = outcome.report.status;
    return outcome;
  }

  /** What must hold after every pass. */
  check(): void {
    for (const { facts } of this.#pods.values()) {
      const entry = this.#roster.find((each) => each.pod?.uid === facts.uid);
      if (facts.address !== null && !facts.finished) expect(entry, `${facts.name} lives and has no server`).toBeDefined();
      if (entry === undefined) continue;
      const wanted = this.#config.servers.get(entry.name);
      if (facts.terminatingSince !== null || !facts.containersReady) expect(wanted, `${facts.name} gets new sessions`).toBe('drain');
      const asked = facts.drain !== null || facts.terminatingSince !== null || !this.#in.has(facts.backend);
      this.#clocks.check(facts, { asked, judged: !this.#broken, since: entry.drain.kind === 'draining' ? entry.drain.since : null });
    }
    const ids = this.#roster.map((entry) => entry.id);
    expect(new Set(ids).size).toBe(ids.length);
  }

  /** Lets everything that is under way come to its end. */
  settle(): void {
    this.#broken = false;
    this.#lag.catchUp();
    this.#proxies = this.#proxies.map(() => 'unreachable');
    for (let round = 0; round < 40; round += 1) {
      this.happen({ kind: 'proxies catch up' });
      for (const name of this.#sessions.keys()) this.#sessions.set(name, 0);
      this.#everyPodIsUp();
      this.#controllers();
      this.#now += 120_000;
      const idle = isIdle(this.pass());
      if (idle && round > 3) return;
    }
  }

  /** What an operator that has just been started does not know. */
  forget(): void {
    const data = this.#children.get('ConfigMap/p-haproxy')?.['data'] as Record<string, string> | undefined;
    this.#roster = (JSON.parse(data?.['state.json'] ?? '{"roster":[]}') as { roster: Roster }).roster;
    this.#proxies = ['pending', 'pending'];
  }

  /** Every pod is up, every proxy has done what it was asked for, and the operator has seen it. */
  #heal(): void {
    for (let round = 0; round < 3; round += 1) {
      this.#everyPodIsUp();
      this.pass();
      this.#heard = this.#config;
      this.#proxies = this.#proxies.map(() => this.#statement());
      this.pass();
      this.#controllers();
    }
  }

  #everyPodIsUp(): void {
    for (const pod of [...this.#pods.values()]) {
      if (pod.facts.terminatingSince !== null) this.#pods.delete(pod.facts.uid);
      else pod.facts = { ...pod.facts, address: pod.facts.address ?? this.#address(), containersReady: true };
    }
  }

  #view(): ClusterView {
    const reading = readPool({
      backends: this.#names.filter((name) => this.#in.has(name)),
      template: this.#template,
      broken: this.#broken,
    });
    const before = this.#savedSpec === null ? null : readSpec(this.#savedSpec);
    if (reading.kind === 'accepted') this.#savedSpec = reading.spec;
    return {
      ...UNCHANGING,
      generation: this.#template,
      reading:
        reading.kind === 'accepted'
          ? reading
          : { ...reading, lastGood: before?.kind === 'accepted' ? { pool: before.pool, spec: before.spec } : null },
      roster: this.#roster,
      pods: [...this.#pods.values()].map((pod) => pod.facts),
      children: new Map([...this.#children].map(([key, child]) => [key, this.#facts(key, child)])),
      proxies: this.#proxies.map(reportOf),
      status: this.#status,
    };
  }

  #facts(key: string, child: Child): ChildFacts {
    return childFacts(key, child, child.kind === 'Deployment' ? this.#lag.shown(key, this.#deployment(child)) : null);
  }

  #deployments(): Child[] {
    return [...this.#children.values()].filter((child) => child.kind === 'Deployment');
  }

  #deployment(child: Child): DeploymentFacts {
    return deploymentFacts(child, [...this.#pods.values()]);
  }

  #apply(child: Child): void {
    this.#children.set(childKey(child), child);
    if (child.kind !== 'ConfigMap') return;
    this.#config = proxyConfigOf(child);
  }

  #remove(name: string): void {
    const child = this.#children.get(`Deployment/${name}`);
    const backend = child?.metadata.labels['cccam.dev/backend'];
    for (const { facts } of this.#pods.values()) {
      if (facts.backend !== backend || facts.terminatingSince !== null) continue;
      const entry = this.#roster.find((each) => each.pod?.uid === facts.uid);
      if (entry === undefined) continue;
      checkMayGo(entry, this.#sessions.get(entry.name) ?? 0, this.#now);
    }
    this.#children.delete(`Deployment/${name}`);
    for (const pod of this.#pods.values()) if (pod.facts.backend === backend) this.#end(pod);
  }

  #patch(patch: Outcome['report']['pods'][number]): void {
    const pod = this.#pods.get(patch.uid);
    if (pod === undefined) return;
    pod.facts = patched(pod.facts, patch);
  }

  /** The Deployment controller: replaces pods one at a time where the template is another, and makes those that are missing. */
  #controllers(): void {
    for (const child of this.#deployments()) {
      const backend = child.metadata.labels['cccam.dev/backend'];
      if (backend === undefined) continue;
      const { paused, replicas = 1 } = child['spec'] as { paused?: boolean; replicas?: number };
      const template = child.metadata.annotations[TEMPLATE_ANNOTATION] ?? '';
      const pods = [...this.#pods.values()].filter((pod) => pod.facts.backend === backend && pod.facts.terminatingSince === null);
      const available = pods.filter((pod) => pod.facts.conditions.get('cccam.dev/InRotation')?.status === 'True');
      const old = pods.find((pod) => pod.template !== template);
      if (paused !== true && old !== undefined && (available.length >= replicas || !available.includes(old))) this.#end(old);
      const missing =
        replicas - [...this.#pods.values()].filter((pod) => pod.facts.backend === backend && pod.facts.terminatingSince === null).length;
      for (let count = 0; count < missing; count += 1) this.#create(backend, paused === true ? (pods[0]?.template ?? template) : template);
    }
    this.#outages.check(this.#deployments(), [...this.#pods.values()]);
  }

  #create(backend: string, template: string): void {
    this.#number += 1;
    const name = `p-${backend}-${this.#number}`;
    const facts = aPodOf(backend, { name, uid: name });
    this.#pods.set(name, { facts, template });
  }

  #end(pod: Pod): void {
    pod.facts = { ...pod.facts, terminatingSince: this.#now };
    if (pod.facts.address === null) this.#pods.delete(pod.facts.uid);
  }

  #happenToProxiesOrPods(step: Step): void {
    switch (step.kind) {
      case 'proxies lag':
        this.#heard = { text: this.#heard.text, servers: new Map(this.#heard.servers) };
        break;
      case 'proxies catch up':
        this.#heard = this.#config;
        this.#proxies = this.#proxies.map(() => this.#statement());
        break;
      case 'proxy restarts':
        this.#proxies = [this.#proxies[0] ?? 'pending', 'unreachable'];
        break;
      case 'proxy is lost':
        this.#proxies = ['unreachable', 'unreachable'];
        break;
      case 'proxy lies':
        this.#proxies = [{ ...NOTHING_SAID, configRevision: 'nonsense', synced: true }, this.#proxies[1] ?? 'pending'];
        break;
      default:
        if ('at' in step) this.#happenToPod(step.kind, pick([...this.#pods.values()], step.at));
    }
  }

  #happenToPod(kind: Step['kind'], pod: Pod | undefined): void {
    if (pod === undefined) return;
    const { facts } = pod;
    switch (kind) {
      case 'pod starts':
        pod.facts = { ...facts, address: facts.address ?? this.#address() };
        break;
      case 'pod is ready':
        pod.facts = { ...facts, address: facts.address ?? this.#address(), containersReady: true };
        this.#sessions.set(`${facts.name}-${pod.facts.address}:12000`, 3);
        break;
      case 'pod is unready':
        pod.facts = { ...facts, containersReady: false };
        break;
      case 'pod is deleted':
        if (facts.terminatingSince === null) this.#end(pod);
        break;
      case 'pod is gone':
        this.#pods.delete(facts.uid);
        break;
      case 'drain':
        pod.facts = { ...facts, drain: '10m' };
        break;
      case 'undrain':
        pod.facts = { ...facts, drain: null };
        break;
      default:
        this.#sessions.set(`${facts.name}-${facts.address}:12000`, 0);
    }
  }

  #statement(): ProxyReport['said'] {
    return statementOf(this.#heard, this.#sessions);
  }

  #address(): string {
    this.#number += 1;
    return `10.0.${Math.floor(this.#number / 250)}.${1 + (this.#number % 250)}`;
  }
}

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}
