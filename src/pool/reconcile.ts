import { BACKEND_AGENT, type CccamPool, type Issue, type PoolStatus, PROXY_AGENT, PROXY_PORT, pathText } from '../api/v1alpha1/index.ts';
import { ANY_ADDRESS } from '../runtime/server-address.ts';
import { proxyConfigText } from '../wire/proxy-config.ts';
import { savedStateText } from '../wire/saved-state.ts';
import { agentUpgrades } from './agent-upgrade.ts';
import { attentions } from './attention.ts';
import { named } from './child.ts';
import { type ChildPlan, planChildren } from './child-plan.ts';
import type { ClusterView, Outcome } from './cluster-view.ts';
import type { StatusContext } from './conditions.ts';
import { configExtras } from './config-extras.ts';
import { type Decision, decide, type PoolServer } from './decide.ts';
import { readDrainRequest } from './drain-request.ts';
import { podPatch } from './pod-patch.ts';
import { type PoolEvent, statusEvents } from './pool-event.ts';
import { NO_PROXIES } from './proxy-summary.ts';
import { configMap } from './resources/config-map.ts';
import { RUN_FOLDER } from './resources/proxy-deployment.ts';
import { specWarnings } from './spec-warnings.ts';
import { poolStatus } from './status.ts';
import { writingDueInMs } from './status-damping.ts';

/** Where every proxy pod keeps its sockets. */
const RUNTIME = {
  bindAddress: ANY_ADDRESS,
  port: PROXY_PORT,
  sockets: { runtime: `${RUN_FOLDER}/runtime.sock`, peers: `${RUN_FOLDER}/peers.sock` },
  user: null,
} as const;
/** How soon a pool is looked at again whose proxies have not all been asked. */
const INCOMPLETE_MS = 500;

/**
 * Decides everything about one pool in a cluster: beside what `decide` says of its servers and proxies, which objects it needs and which it
 * no longer needs, what is written on its pods, and its status. The operator only gathers the view and applies the outcome.
 *
 * @param now milliseconds since the epoch
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar; the schema has refused it before
 */
export function reconcile(view: ClusterView, now: number): Outcome {
  const { reading } = view;
  if (reading.kind === 'accepted') return serve(view, { ...reading, refusal: null }, now);
  const refusal = refusalText(reading.issues);
  return reading.lastGood === null ? neverValid(view, refusal, now) : serve(view, { ...reading.lastGood, refusal }, now);
}

/** The pool that is active. */
interface ActivePool {
  readonly pool: CccamPool;
  /** Its spec as it was written. */
  readonly spec: unknown;
  /** Why the pool as it is now is not the active one, or null. */
  readonly refusal: string | null;
}

function refusalText(issues: readonly Issue[]): string {
  return issues
    .map((issue) => `${pathText(issue.path)}: ${issue.message}`)
    .slice(0, 5)
    .join('; ');
}

function serve(view: ClusterView, active: ActivePool, now: number): Outcome {
  const { pool, refusal } = active;
  const { spec } = pool;
  const decision = decide(
    {
      spec,
      roster: view.roster,
      pods: view.pods,
      proxies: view.proxies,
      runtime: { ...RUNTIME, maxConnections: spec.proxy.maxConnections, proxies: spec.proxy.replicas },
    },
    (model, roster) => proxyConfigText(model, configExtras(view, model, roster)),
    now,
  );
  const { config, model, proxies, roster, servers } = decision;
  const map = named(configMap(view.identity, model, { proxy: config.text, state: savedStateText({ spec: active.spec, roster }) }));
  const plan = planChildren(view, { pool, map, servers, frozen: refusal !== null });
  const context = statusContext(view, active, decision, plan);
  const status = statusOf(
    view,
    { backends: spec.backends, servers, proxies, desired: spec.proxy.replicas, address: view.address, context },
    now,
  );
  const dueInMs = statusDueInMs(view, status);
  return {
    changes: { apply: plan.apply, remove: plan.remove, disruptive: plan.disruptive },
    upgrades: view.paused ? [] : upgrades(view),
    report: {
      pods: view.paused || !proxies.complete ? [] : podPatches(view, servers, now),
      events: [...plan.events, ...warnings(view)],
      ...statusReport(view, status, proxies.complete && dueInMs === 0),
    },
    roster,
    requeueAfterMs: requeueAfterMs(decision, dueInMs, now),
  };
}

/** A pool that was never valid owns nothing; its status says why. */
function neverValid(view: ClusterView, refusal: string, now: number): Outcome {
  const context: StatusContext = { refusal, paused: view.paused, notOwned: [], rolling: [], attentions: [] };
  const status = statusOf(view, { backends: [], servers: [], proxies: NO_PROXIES, desired: 0, address: null, context }, now);
  return {
    changes: { apply: [], remove: [], disruptive: false },
    upgrades: [],
    report: { pods: [], events: [], ...statusReport(view, status, statusDueInMs(view, status) === 0) },
    roster: [],
    requeueAfterMs: null,
  };
}

function statusContext(view: ClusterView, { pool, refusal }: ActivePool, { proxies, roster }: Decision, plan: ChildPlan): StatusContext {
  return {
    refusal: refusal ?? view.refusals[0] ?? null,
    paused: view.paused,
    notOwned: plan.notOwned,
    rolling: plan.rolling,
    attentions: attentions(pool.spec, roster, proxies),
  };
}

type StatusParts = Omit<Parameters<typeof poolStatus>[0], 'generation' | 'previous'>;

function statusOf(view: ClusterView, parts: StatusParts, now: number): PoolStatus {
  return poolStatus({ ...parts, generation: view.generation, previous: view.status }, now);
}

function upgrades({ pods, proxies, settings }: ClusterView): Outcome['upgrades'] {
  const servers = pods.filter((pod) => !pod.finished);
  // Whatever terminates pods just now may take another one next, and for a moment nothing would keep it; and a terminating server is kept
  // by what the proxies' agents tell it.
  const calm = [...proxies, ...servers].every((pod) => pod.terminatingSince === null);
  const { agentImage: image } = settings;
  return [
    ...agentUpgrades(proxies, { container: PROXY_AGENT.name, image, calm }),
    ...agentUpgrades(servers, { container: BACKEND_AGENT.name, image, calm }),
  ];
}

function podPatches(view: ClusterView, servers: readonly PoolServer[], now: number): Outcome['report']['pods'] {
  const byPod = new Map(servers.flatMap((server) => (server.entry.pod === undefined ? [] : [[server.entry.pod.uid, server] as const])));
  return view.pods.flatMap((pod) => podPatch(pod, byPod.get(pod.uid) ?? null, now) ?? []);
}

/** @param due false also right after a start, when nothing was read back yet and nothing that stands there is proven wrong */
function statusReport(view: ClusterView, status: PoolStatus, due: boolean): Pick<Outcome['report'], 'status' | 'statusEvents'> {
  return due ? { status, statusEvents: statusEvents(view.status, status) } : { status: null, statusEvents: [] };
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

/** At the next deadline, when numbers that have moved may be written, and soon after a start. */
function requeueAfterMs({ proxies, servers }: Decision, dueInMs: number | null, now: number): number | null {
  const deadlines = servers.flatMap(({ verdict }) => (verdict.kind === 'draining' && !verdict.overdue ? [verdict.deadlineAt - now] : []));
  const counts = dueInMs === null || dueInMs === 0 ? [] : [dueInMs];
  const soon = proxies.complete ? [] : [INCOMPLETE_MS];
  const all = [...deadlines, ...counts, ...soon];
  return all.length === 0 ? null : Math.min(...all);
}

/** When the status may be written, in milliseconds, or null when nothing is to be written. */
function statusDueInMs(view: ClusterView, status: PoolStatus): number | null {
  return writingDueInMs(view.status, status, { sinceMs: view.sinceStatusMs, countsEveryMs: view.settings.countsEveryMs });
}
