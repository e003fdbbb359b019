import { BACKEND_AGENT, type CccamPool, graceSeconds, type PoolStatus, PROXY_AGENT, PROXY_PORT, pathText } from '../api/v1alpha1/index.ts';
import { ANY_ADDRESS } from '../runtime/server-address.ts';
import { agentKey } from '../wire/agent-key.ts';
import { type AgentOfServer, type EndOfProxy, revisionOf } from '../wire/proxy-config.ts';
import { agentUpgrades } from './agent-upgrade.ts';
import { attentions } from './attention.ts';
import { named } from './child.ts';
import { planChildren } from './child-plan.ts';
import { readDrainRequest } from './drain-request.ts';
import { podPatch } from './pod-patch.ts';
import { type PoolEvent, statusEvents } from './pool-event.ts';
import { proxyModel } from './proxy-model.ts';
import { type Tally, tally } from './proxy-report.ts';
import { sharesOf, withShares } from './proxy-shares.ts';
import { configMap } from './resources/config-map.ts';
import { RUN_FOLDER } from './resources/proxy-deployment.ts';
import { CLOSING_MS, nextRoster, type Roster, type SessionCount } from './roster.ts';
import { CONFIG_KEYS } from './saved-state.ts';
import { specWarnings } from './spec-warnings.ts';
import { NO_PROXY, poolStatus, type ServerFacts, type StatusContext } from './status.ts';
import { writingDueInMs } from './status-damping.ts';
import type { Outcome, World } from './world.ts';

/** Where every proxy pod keeps its sockets. */
const PLACE = {
  bindAddress: ANY_ADDRESS,
  port: PROXY_PORT,
  sockets: { runtime: `${RUN_FOLDER}/runtime.sock`, peers: `${RUN_FOLDER}/peers.sock` },
  user: null,
} as const;

/**
 * Decides everything about one pool: which objects it needs, which it does not need any more, what is written on its pods and in its
 * status. The operator only gathers the world and carries this out.
 *
 * @param now milliseconds since the epoch
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar; the schema has refused it before
 */
export function reconcile(world: World, now: number): Outcome {
  const { reading } = world;
  if (reading.kind === 'accepted') return decide(world, reading.pool, reading.spec, null, now);
  const refusal = reading.issues
    .map((issue) => `${pathText(issue.path)}: ${issue.message}`)
    .slice(0, 5)
    .join('; ');
  if (reading.lastGood !== null) return decide(world, reading.lastGood.pool, reading.lastGood.spec, refusal, now);
  return neverAccepted(world, refusal, now);
}

function decide(world: World, pool: CccamPool, savedSpec: unknown, refusal: string | null, now: number): Outcome {
  const { identity } = world;
  const { spec } = pool;
  // No proxy can report a revision that is not made yet, so here only servers that are mentioned count.
  const heard = tally(
    world.proxies,
    '',
    world.roster.map((entry) => entry.name),
  );
  const roster = withShares(nextRoster(spec, world.roster, sessionCounts(heard), now, world.pods), world.proxies);
  const model = proxyModel(spec, roster, { ...PLACE, maxConnections: spec.proxy.maxConnections, proxies: spec.proxy.replicas });
  const state = { version: 1, spec: savedSpec, roster } as const;
  const extras = { agents: agentsOf(world, roster), ends: endsOf(world, pool), shares: sharesOf(model, roster, world.proxies) };
  const map = named(configMap(identity, model, extras, state));
  const revision = revisionOf((map['data'] as Record<string, string>)[CONFIG_KEYS.proxy] ?? '');
  const told = tally(
    world.proxies,
    revision,
    roster.map((entry) => entry.name),
  );

  const plan = planChildren(world, pool, map, roster, told, refusal !== null, now);
  const status = poolStatus(
    { generation: world.generation, backends: spec.backends },
    roster,
    { desired: spec.proxy.replicas, ...told },
    world.address,
    world.status,
    now,
    {
      refusal: refusal ?? world.refusals[0] ?? null,
      paused: world.paused,
      notOwned: plan.notOwned,
      rolling: plan.rolling,
      attentions: attentions(spec, roster, { desired: spec.proxy.replicas, ...told }),
    },
  );
  const due = writingDue(world, status);
  return {
    apply: plan.apply,
    remove: plan.remove,
    pods: world.paused ? [] : podPatches(world, roster, told, now),
    agents: world.paused ? [] : upgrades(world),
    events: [...plan.events, ...warnings(world)],
    ...statusOutcome(world, status, told, due),
    disruptive: plan.disruptive,
    roster,
    requeueAfterMs: requeueAfterMs(roster, told, due, now),
  };
}

/** A pool that was never understood has nothing; it is only told so. */
function neverAccepted(world: World, refusal: string, now: number): Outcome {
  const context: StatusContext = { refusal, paused: world.paused, notOwned: [], rolling: [], attentions: [] };
  const proxies = { desired: 0, ...NO_PROXY };
  const status = poolStatus({ generation: world.generation, backends: [] }, [], proxies, null, world.status, now, context);
  const complete: Tally = { complete: true, ...proxies };
  return {
    apply: [],
    remove: [],
    pods: [],
    agents: [],
    events: [],
    ...statusOutcome(world, status, complete, writingDue(world, status)),
    disruptive: false,
    roster: [],
    requeueAfterMs: null,
  };
}

/** Servers with an agent of their own: the proxies listen to it. */
function agentsOf(world: World, roster: Roster): AgentOfServer[] {
  const ports = new Map(world.pods.map((pod) => [pod.uid, pod.agentPort]));
  const backends = new Set(roster.map((entry) => entry.backend)); // a key is a hash, and there are many servers
  const keys = new Map([...backends].map((backend) => [backend, agentKey('link to a server', world.identity.uid, backend)]));
  return roster.flatMap((entry) => {
    const port = entry.pod === undefined ? null : (ports.get(entry.pod.uid) ?? null);
    return port === null ? [] : [{ server: entry.name, port, key: keys.get(entry.backend) ?? '' }];
  });
}

/** What a pod knows itself by is its name, cut to what a host name may have. */
const HOST_NAME_MAX = 63;

/** Proxies that the kubelet will end before their own deadline, such as those on a node that is drained in a hurry. */
function endsOf({ proxies }: World, { spec }: CccamPool): EndOfProxy[] {
  const usualMs = graceSeconds(spec.drain.deadline) * 1_000;
  return proxies.flatMap(({ terminatingSince, graceMs, name }) => {
    if (terminatingSince === null || graceMs === null || graceMs >= usualMs) return [];
    return [{ proxy: name.slice(0, HOST_NAME_MAX), closeAfter: terminatingSince + Math.max(0, graceMs - CLOSING_MS) }];
  });
}

function upgrades({ pods, proxies, settings }: World): Outcome['agents'] {
  const servers = pods.filter((pod) => !pod.finished);
  // Whoever takes pods away just now may take another one next, and for a moment nobody would be there to keep it; and a server that
  // ends is kept by what the proxies' agents tell it.
  const calm = [...proxies, ...servers].every((pod) => pod.terminatingSince === null);
  return [
    ...agentUpgrades(proxies, PROXY_AGENT.name, settings.agentImage, calm),
    ...agentUpgrades(servers, BACKEND_AGENT.name, settings.agentImage, calm),
  ];
}

function podPatches(world: World, roster: Roster, told: Tally, now: number): Outcome['pods'] {
  if (!told.complete) return [];
  const entries = new Map(roster.flatMap((entry) => (entry.pod === undefined ? [] : [[entry.pod.uid, entry] as const])));
  return world.pods.flatMap((pod) => {
    const entry = entries.get(pod.uid) ?? null;
    const facts = entry === null ? null : (told.servers.get(entry.name) ?? null);
    return podPatch(pod, entry, facts, now) ?? [];
  });
}

/** @param due when it may be written, in milliseconds, or null when nothing is to be written */
function statusOutcome(world: World, status: PoolStatus, told: Tally, due: number | null): Pick<Outcome, 'status' | 'statusEvents'> {
  // Right after a start nobody was asked yet, and nothing that stands there is proven wrong.
  if (!told.complete || due !== 0) return { status: null, statusEvents: [] };
  return { status, statusEvents: statusEvents(world.status, status) };
}

function warnings(world: World): PoolEvent[] {
  const unclear = world.pods.filter((pod) => readDrainRequest(pod.drain)?.understood === false);
  const fresh = world.reading.kind === 'accepted' && world.status?.observedGeneration !== world.generation;
  const doubtful = fresh && world.reading.kind === 'accepted' ? [...world.reading.warnings, ...specWarnings(world.reading.pool.spec)] : [];
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

function sessionCounts(heard: Tally): ReadonlyMap<string, SessionCount> {
  return new Map(
    [...heard.servers].map(([name, facts]: [string, ServerFacts]) => [
      name,
      { sessions: facts.counted ? facts.sessions : null, outOfRotation: facts.outOfRotation },
    ]),
  );
}

/** Soon after a start, at the next deadline, and when numbers that have moved may be written. */
function requeueAfterMs(roster: Roster, told: Tally, due: number | null, now: number): number | null {
  const deadlines = roster
    .flatMap((entry) => (entry.drain.kind === 'draining' ? [entry.drain.since + entry.deadlineMs - now] : []))
    .filter((ms) => ms > 0);
  const counts = due === null || due === 0 ? [] : [due];
  const soon = told.complete ? [] : [500];
  const all = [...deadlines, ...counts, ...soon];
  return all.length === 0 ? null : Math.min(...all);
}

function writingDue(world: World, status: PoolStatus): number | null {
  return writingDueInMs(world.status, status, world.sinceStatusMs, world.settings.countsEveryMs);
}
