import { expect } from 'vitest';
import { DRAIN_SINCE_ANNOTATION, TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import { understand } from '../../src/operator/pool-record.ts';
import { type Child, type ChildFacts, childKey, contentName, type DeploymentFacts } from '../../src/pool/child.ts';
import type { ClusterView, Outcome } from '../../src/pool/cluster-view.ts';
import { drainVerdict } from '../../src/pool/drain.ts';
import type { PodFacts } from '../../src/pool/pod-facts.ts';
import { DELETION_COST_ANNOTATION } from '../../src/pool/pod-patch.ts';
import type { ProxyReport } from '../../src/pool/proxy-report.ts';
import { reconcile } from '../../src/pool/reconcile.ts';
import type { Roster } from '../../src/pool/roster.ts';
import type { Step } from './cluster-steps.ts';
import { aPodOf } from './pools.ts';
import { NOTHING_SAID, type ProxyConfigFacts, statementOf } from './proxy-statement.ts';
import { StatusLag } from './status-lag.ts';

interface Pod {
  facts: PodFacts;
  template: string;
}

const SETTINGS = { haproxyImage: 'h', agentImage: 'a', agentPeers: [], countsEveryMs: 60_000 };
const UID = 'pool-uid';
const REPLICAS = 2;

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
  /** When each pod's drain began, as the test saw it. */
  readonly #clocks = new Map<string, number>();

  constructor(backends: number) {
    this.#names = Array.from({ length: backends }, (_, index) => `b${index}`);
    this.#in = new Set(this.#names);
  }

  happen(step: Step): void {
    this.#before();
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
      this.#checkClock(facts, entry.drain.kind === 'draining' ? entry.drain.since : null);
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
      for (const pod of [...this.#pods.values()]) {
        if (pod.facts.terminatingSince !== null) this.#pods.delete(pod.facts.uid);
        else pod.facts = { ...pod.facts, address: pod.facts.address ?? this.#address(), containersReady: true };
      }
      this.#controllers();
      this.#now += 120_000;
      const { changes, report } = this.pass();
      const idle = changes.apply.length + changes.remove.length + report.pods.length === 0 && report.status === null;
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
      for (const pod of [...this.#pods.values()]) {
        if (pod.facts.terminatingSince !== null) this.#pods.delete(pod.facts.uid);
        else pod.facts = { ...pod.facts, address: pod.facts.address ?? this.#address(), containersReady: true };
      }
      this.pass();
      this.#heard = this.#config;
      this.#proxies = this.#proxies.map(() => this.#statement());
      this.pass();
      this.#controllers();
    }
  }

  #view(): ClusterView {
    const spec = {
      backends: [
        ...this.#names.filter((name) => this.#in.has(name)).map((name) => ({ name, replicas: REPLICAS })),
        { name: 'x', external: { address: '192.0.2.1' } },
      ],
      podTemplate: { spec: { containers: [{ name: 'c', image: `i:${this.#template}` }] } },
      ...(this.#broken ? { health: { interval: '1s', fastInterval: '2s' } } : {}),
    };
    const reading = understand({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec });
    const before =
      this.#savedSpec === null
        ? null
        : understand({ apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec: this.#savedSpec });
    if (reading.kind === 'accepted') this.#savedSpec = reading.spec;
    return {
      identity: { namespace: 'n', name: 'p', uid: UID },
      generation: this.#template,
      paused: false,
      reading:
        reading.kind === 'accepted'
          ? reading
          : { ...reading, lastGood: before?.kind === 'accepted' ? { pool: before.pool, spec: before.spec } : null },
      roster: this.#roster,
      settings: SETTINGS,
      pods: [...this.#pods.values()].map((pod) => pod.facts),
      children: new Map([...this.#children].map(([key, child]) => [key, this.#facts(key, child)])),
      verified: new Map(),
      refusals: [],
      proxies: this.#proxies.map((said, index) => ({
        name: `proxy${index}`,
        uid: `proxy${index}`,
        agent: null,
        ready: true,
        terminatingSince: null,
        gracePeriodMs: null,
        said,
        error: null,
      })),
      address: '203.0.113.1:12000',
      status: this.#status,
      sinceStatusMs: 1_000_000,
    };
  }

  #facts(key: string, child: Child): ChildFacts {
    const { apiVersion: _v, kind: _k, metadata, ...body } = child;
    const content = { ...body, labels: metadata.labels, annotations: metadata.annotations, ownerReferences: metadata.ownerReferences };
    return {
      uid: key,
      ownerUid: UID,
      applied: metadata.annotations['cccam.dev/applied'] ?? null,
      fingerprint: contentName(content),
      content,
      deployment: child.kind === 'Deployment' ? this.#lag.shown(key, this.#deployment(child)) : null,
    };
  }

  #deployments(): Child[] {
    return [...this.#children.values()].filter((child) => child.kind === 'Deployment');
  }

  #deployment(child: Child): DeploymentFacts {
    const backend = child.metadata.labels['cccam.dev/backend'];
    const template = child.metadata.annotations[TEMPLATE_ANNOTATION] ?? null;
    const pods = [...this.#pods.values()].filter((pod) => pod.facts.backend === backend && pod.facts.terminatingSince === null);
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

  #apply(child: Child): void {
    this.#children.set(childKey(child), child);
    if (child.kind !== 'ConfigMap') return;
    const text = (child['data'] as Record<string, string>)['proxy.json'] ?? '';
    const { servers } = JSON.parse(text) as { servers: { name: string; state: string }[] };
    this.#config = { text, servers: new Map(servers.map(({ name, state }) => [name, state])) };
  }

  #remove(name: string): void {
    const child = this.#children.get(`Deployment/${name}`);
    const backend = child?.metadata.labels['cccam.dev/backend'];
    for (const { facts } of this.#pods.values()) {
      if (facts.backend !== backend || facts.terminatingSince !== null) continue;
      const entry = this.#roster.find((each) => each.pod?.uid === facts.uid);
      if (entry === undefined) continue;
      const count = { sessions: this.#sessions.get(entry.name) ?? 0, counted: true, outOfRotation: true };
      const verdict = drainVerdict(entry, count, this.#now);
      expect(verdict.kind === 'drained' || (verdict.kind === 'draining' && verdict.overdue), `${facts.name} goes with its sessions`).toBe(
        true,
      );
    }
    this.#children.delete(`Deployment/${name}`);
    for (const pod of this.#pods.values()) if (pod.facts.backend === backend) this.#end(pod);
  }

  #patch(patch: Outcome['report']['pods'][number]): void {
    const pod = this.#pods.get(patch.uid);
    if (pod === undefined) return;
    const since = patch.annotations?.[DRAIN_SINCE_ANNOTATION];
    const cost = patch.annotations?.[DELETION_COST_ANNOTATION];
    const conditions = new Map(pod.facts.conditions);
    for (const each of patch.conditions ?? []) conditions.set(each.type, { status: each.status, since: each.lastTransitionTime });
    pod.facts = {
      ...pod.facts,
      drainSince: since === undefined ? pod.facts.drainSince : since,
      deletionCost: cost === undefined ? pod.facts.deletionCost : cost,
      conditions,
    };
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
    this.#checkOutages();
  }

  #outageOf = new Set<string>();

  /** Backends that a rollout has taken a pod from: never two at once. */
  #checkOutages(): void {
    const rolling = this.#deployments().filter((child) => {
      const backend = child.metadata.labels['cccam.dev/backend'];
      if (backend === undefined || (child['spec'] as { paused?: boolean }).paused === true) return false;
      const template = child.metadata.annotations[TEMPLATE_ANNOTATION];
      return [...this.#pods.values()].some(
        (pod) => pod.facts.backend === backend && pod.template !== template && pod.facts.terminatingSince === null,
      );
    });
    const whole = rolling.filter((child) => !this.#outageOf.has(child.metadata.name));
    // One may begin while others are down for another reason; two that were whole may not.
    expect(whole.length, `rolling at once: ${whole.map((child) => child.metadata.name).join(', ')}`).toBeLessThanOrEqual(1);
  }

  #before(): void {
    const down = this.#deployments().filter((child) => this.#deployment(child).available < this.#deployment(child).wanted);
    this.#outageOf = new Set(down.map((child) => child.metadata.name));
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

  #checkClock(facts: PodFacts, since: number | null): void {
    const asked = facts.drain !== null || facts.terminatingSince !== null || !this.#in.has(facts.backend);
    if (!asked || this.#broken) {
      if (!asked) this.#clocks.delete(facts.uid);
      return;
    }
    const before = this.#clocks.get(facts.uid);
    if (since === null) return;
    if (before !== undefined) expect(since, `the clock of ${facts.name} was restarted`).toBeLessThanOrEqual(before);
    this.#clocks.set(facts.uid, since);
  }

  #address(): string {
    this.#number += 1;
    return `10.0.${Math.floor(this.#number / 250)}.${1 + (this.#number % 250)}`;
  }
}

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(1, list.length)];
}
