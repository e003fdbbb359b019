import type { PoolSpec } from '../api/v1alpha1/index.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { revisionOf } from '../wire/proxy-config.ts';
import { type DrainVerdict, drainVerdict } from './drain.ts';
import type { PodFacts } from './pod-facts.ts';
import { type ProxyRuntime, proxyModel } from './proxy-model.ts';
import type { ProxyReport } from './proxy-report.ts';
import { withShares } from './proxy-shares.ts';
import { type ProxySummary, type ServerFacts, serverFactsByName, summarizeProxies } from './proxy-summary.ts';
import { nextRoster, type Roster, type RosterEntry } from './roster.ts';

/** What is known of a pool, in a cluster as well as on one machine. */
export interface PoolFacts {
  readonly spec: PoolSpec;
  /** What must survive a restart, as it was saved last. */
  readonly roster: Roster;
  /** Pods of managed backends; none without Kubernetes. */
  readonly pods: readonly PodFacts[];
  readonly proxies: readonly ProxyReport[];
  /** Where the proxies run. */
  readonly runtime: ProxyRuntime;
}

/** A server of the pool, with everything that was concluded about it in this pass. */
export interface PoolServer {
  readonly entry: RosterEntry;
  /** How it does over all proxies; null while no proxy has reported it. */
  readonly facts: ServerFacts | null;
  readonly verdict: DrainVerdict;
}

/** What one pass decides about a pool. */
export interface Decision {
  readonly roster: Roster;
  readonly model: ProxyModel;
  /** What the proxies are given, and its revision. */
  readonly config: { readonly text: string; readonly revision: string };
  readonly proxies: ProxySummary;
  /** In the order of the roster. */
  readonly servers: readonly PoolServer[];
}

/**
 * Decides what the proxies of a pool should be, and judges its servers by what the proxies report. The status and, in a cluster, the
 * objects of the pool follow from it.
 *
 * @param configText the text that the proxies are given for a model
 * @param now milliseconds since the epoch
 */
export function decide(facts: PoolFacts, configText: (model: ProxyModel, roster: Roster) => string, now: number): Decision {
  const { pods, proxies, roster: previous, runtime, spec } = facts;
  // No proxy can report a revision that is not made yet, so here only servers that are mentioned count. A pod's server stays as long as its pod.
  const counts = serverFactsByName(proxies, null, namesOf(previous.filter(({ pod }) => pod === undefined)));
  const roster = withShares(nextRoster({ spec, previous, counts, pods }, now), proxies);
  const model = proxyModel(spec, roster, runtime);
  const text = configText(model, roster);
  const revision = revisionOf(text);
  const summary = summarizeProxies(proxies, revision, namesOf(roster));
  return { roster, model, config: { text, revision }, proxies: summary, servers: judge(roster, summary, now) };
}

/** Concludes about each server what there is to conclude. */
export function judge(roster: Roster, { servers }: Pick<ProxySummary, 'servers'>, now: number): PoolServer[] {
  return roster.map((entry) => {
    const facts = servers.get(entry.name) ?? null;
    return { entry, facts, verdict: drainVerdict(entry, facts, now) };
  });
}

function namesOf(roster: Roster): string[] {
  return roster.map(({ name }) => name);
}
