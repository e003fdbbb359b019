import { BACKEND_AGENT, type CccamPool, graceSeconds, type PoolStatus, PROXY_AGENT, PROXY_PORT, pathText } from '../api/v1alpha1/index.ts';
import { ANY_ADDRESS } from '../runtime/server-address.ts';
import { agentKey } from '../wire/agent-key.ts';
import { CLOSING_RESERVE_MS } from '../wire/drain-times.ts';
import { type AgentOfServer, type EndOfProxy, revisionOf } from '../wire/proxy-config.ts';
import { CONFIG_KEYS } from '../wire/saved-state.ts';
import { agentUpgrades } from './agent-upgrade.ts';
import { attentions } from './attention.ts';
import { named } from './child.ts';
import { planChildren } from './child-plan.ts';
import type { ClusterView, Outcome } from './cluster-view.ts';
import { readDrainRequest } from './drain-request.ts';
import { podPatch } from './pod-patch.ts';
import { type PoolEvent, statusEvents } from './pool-event.ts';
import { proxyModel } from './proxy-model.ts';
import { type ProxySummary, summarizeProxies } from './proxy-report.ts';
import { sharesOf, withShares } from './proxy-shares.ts';
import { configMap } from './resources/config-map.ts';
import { RUN_FOLDER } from './resources/proxy-deployment.ts';
import { nextRoster, type Roster, type SessionCount } from './roster.ts';
import { specWarnings } from './spec-warnings.ts';
import { NO_PROXY, poolStatus, type ServerFacts, type StatusContext } from './status.ts';
import { writingDueInMs } from './status-damping.ts';

/** Where every proxy pod keeps its sockets. */
const RUNTIME = {
  bindAddress: ANY_ADDRESS,
  port: PROXY_PORT,
  sockets: { runtime: `${RUN_FOLDER}/runtime.sock`, peers: `${RUN_FOLDER}/peers.sock` },
  user: null,
} as const;

/**
 * Decides everything about one pool: which objects it needs, which it does not need any more, what is written on its pods and in its
 * status. The operator only gathers the view and applies the outcome.
 *
 * @param now milliseconds since the epoch
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar; the schema has refused it before
 */
export function reconcile(view: ClusterView, now: number): Outcome {
  const { reading } = view;
  if (reading.kind === 'accepted') return decide(view, reading.pool, reading.spec, null, now);
  const refusal = reading.issues
    .map((issue) => `${pathText(issue.path)}: ${issue.message}`)
    .slice(0, 5)
    .join('; ');
  if (reading.lastGood !== null) return decide(view, reading.lastGood.pool, reading.lastGood.spec, refusal, now);
  return neverAccepted(view, refusal, now);
}

function decide(view: ClusterView, pool: CccamPool, savedSpec: unknown, refusal: string | null, now: number): Outcome {
  const { identity } = view;
  const { spec } = pool;
  // No proxy can report a revision that is not made yet, so here only servers that are mentioned count.
  const heard = summarizeProxies(
    view.proxies,
    '',
    view.roster.map((entry) => entry.name),
  );
  const roster = withShares(nextRoster(spec, view.roster, sessionCounts(heard), now, view.pods), view.proxies);
  const model = proxyModel(spec, roster, { ...RUNTIME, maxConnections: spec.proxy.maxConnections, proxies: spec.proxy.replicas });
  const state = { spec: savedSpec, roster };
  const extras = { agents: agentsOf(view, roster), ends: endsOf(view, pool), shares: sharesOf(model, roster, view.proxies) };
  const map = named(configMap(identity, model, extras, state));
  const revision = revisionOf((map['data'] as Record<string, string>)[CONFIG_KEYS.proxy] ?? '');
  const summary = summarizeProxies(
    view.proxies,
    revision,
    roster.map((entry) => entry.name),
  );

  const plan = planChildren(view, pool, map, roster, summary, refusal !== null, now);
  const status = poolStatus(
    { generation: view.generation, backends: spec.backends },
    roster,
    { desired: spec.proxy.replicas, ...summary },
    view.address,
    view.status,
    now,
    {
      refusal: refusal ?? view.refusals[0] ?? null,
      paused: view.paused,
      notOwned: plan.notOwned,
      rolling: plan.rolling,
      attentions: attentions(spec, roster, { desired: spec.proxy.replicas, ...summary }),
    },
  );
  const due = writingDue(view, status);
  return {
    apply: plan.apply,
    remove: plan.remove,
    pods: view.paused ? [] : podPatches(view, roster, summary, now),
    agents: view.paused ? [] : upgrades(view),
    events: [...plan.events, ...warnings(view)],
    ...statusOutcome(view, status, summary, due),
    disruptive: plan.disruptive,
    roster,
    requeueAfterMs: requeueAfterMs(roster, summary, due, now),
  };
}

/** A pool that was never valid owns nothing; its status says why. */
function neverAccepted(view: ClusterView, refusal: string, now: number): Outcome {
  const context: StatusContext = { refusal, paused: view.paused, notOwned: [], rolling: [], attentions: [] };
  const proxies = { desired: 0, ...NO_PROXY };
  const status = poolStatus({ generation: view.generation, backends: [] }, [], proxies, null, view.status, now, context);
  const complete: ProxySummary = { complete: true, ...proxies };
  return {
    apply: [],
    remove: [],
    pods: [],
    agents: [],
    events: [],
    ...statusOutcome(view, status, complete, writingDue(view, status)),
    disruptive: false,
    roster: [],
    requeueAfterMs: null,
  };
}

/** Servers with an agent of their own: the proxies listen to it. */
function agentsOf(view: ClusterView, roster: Roster): AgentOfServer[] {
  const ports = new Map(view.pods.map((pod) => [pod.uid, pod.agentPort]));
  const backends = new Set(roster.map((entry) => entry.backend)); // a key is a hash, and there are many servers
  const keys = new Map([...backends].map((backend) => [backend, agentKey('link to a server', view.identity.uid, backend)]));
  return roster.flatMap((entry) => {
    const port = entry.pod === undefined ? null : (ports.get(entry.pod.uid) ?? null);
    return port === null ? [] : [{ server: entry.name, port, key: keys.get(entry.backend) ?? '' }];
  });
}

/** What a pod knows itself by is its name, cut to what a host name may have. */
const HOST_NAME_MAX = 63;

/** Proxies that the kubelet will end before their own deadline, such as those on a node that is drained in a hurry. */
function endsOf({ proxies }: ClusterView, { spec }: CccamPool): EndOfProxy[] {
  const usualMs = graceSeconds(spec.drain.deadline) * 1_000;
  return proxies.flatMap(({ terminatingSince, graceMs, name }) => {
    if (terminatingSince === null || graceMs === null || graceMs >= usualMs) return [];
    return [{ proxy: name.slice(0, HOST_NAME_MAX), deadlineAt: terminatingSince + Math.max(0, graceMs - CLOSING_RESERVE_MS) }];
  });
}

function upgrades({ pods, proxies, settings }: ClusterView): Outcome['agents'] {
  const servers = pods.filter((pod) => !pod.finished);
  // Whoever takes pods away just now may take another one next, and for a moment nobody would be there to keep it; and a server that
  // ends is kept by what the proxies' agents tell it.
  const calm = [...proxies, ...servers].every((pod) => pod.terminatingSince === null);
  return [
    ...agentUpgrades(proxies, PROXY_AGENT.name, settings.agentImage, calm),
    ...agentUpgrades(servers, BACKEND_AGENT.name, settings.agentImage, calm),
  ];
}

function podPatches(view: ClusterView, roster: Roster, summary: ProxySummary, now: number): Outcome['pods'] {
  if (!summary.complete) return [];
  const entries = new Map(roster.flatMap((entry) => (entry.pod === undefined ? [] : [[entry.pod.uid, entry] as const])));
  return view.pods.flatMap((pod) => {
    const entry = entries.get(pod.uid) ?? null;
    const facts = entry === null ? null : (summary.servers.get(entry.name) ?? null);
    return podPatch(pod, entry, facts, now) ?? [];
  });
}

/** @param due when it may be written, in milliseconds, or null when nothing is to be written */
function statusOutcome(
  view: ClusterView,
  status: PoolStatus,
  summary: ProxySummary,
  due: number | null,
): Pick<Outcome, 'status' | 'statusEvents'> {
  // Right after a start nobody was asked yet, and nothing that stands there is proven wrong.
  if (!summary.complete || due !== 0) return { status: null, statusEvents: [] };
  return { status, statusEvents: statusEvents(view.status, status) };
}

function warnings(view: ClusterView): PoolEvent[] {
  const unclear = view.pods.filter((pod) => readDrainRequest(pod.drain)?.understood === false);
  const fresh = view.reading.kind === 'accepted' && view.status?.observedGeneration !== view.generation;
  const doubtful = fresh && view.reading.kind === 'accepted' ? [...view.reading.warnings, ...specWarnings(view.reading.pool.spec)] : [];
  return [
    ...unclear.map(
      (pod): PoolEvent => ({
        type: 'Warning',
        reason: 'DrainAnnotationInvalid',
        note: `${pod.name}: expected true or a duration such as 10m; it is drained as if true`,
      }),
    ),
    ...doubtful.map((issue): PoolEvent => ({ type: 'Warning', reason: 'PoolWarning', note: `${pathText(issue.path)}: ${issue.message}` })),
  ];
}

function sessionCounts(heard: ProxySummary): ReadonlyMap<string, SessionCount> {
  return new Map(
    [...heard.servers].map(([name, facts]: [string, ServerFacts]) => [
      name,
      { sessions: facts.counted ? facts.sessions : null, outOfRotation: facts.outOfRotation },
    ]),
  );
}

/** Soon after a start, at the next deadline, and when numbers that have moved may be written. */
function requeueAfterMs(roster: Roster, summary: ProxySummary, due: number | null, now: number): number | null {
  const deadlines = roster
    .flatMap((entry) => (entry.drain.kind === 'draining' ? [entry.drain.since + entry.deadlineMs - now] : []))
    .filter((ms) => ms > 0);
  const counts = due === null || due === 0 ? [] : [due];
  const soon = summary.complete ? [] : [500];
  const all = [...deadlines, ...counts, ...soon];
  return all.length === 0 ? null : Math.min(...all);
}

function writingDue(view: ClusterView, status: PoolStatus): number | null {
  return writingDueInMs(view.status, status, view.sinceStatusMs, view.settings.countsEveryMs);
}
