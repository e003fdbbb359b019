import type { HealthCause, HealthState } from '../haproxy/health/health-state.ts';
import type { AgentFacts } from './agent-upgrade.ts';
import { answers, jointStanding } from './server-standing.ts';
import type { ProxyFacts, ServerFacts } from './status.ts';

/** What is known of one proxy. */
export interface ProxyReport {
  /** Name of its pod. */
  readonly name: string;
  readonly uid: string;
  readonly agent: AgentFacts | null;
  /** Whether it takes new clients, as Kubernetes sees it. */
  readonly ready: boolean;
  /** When its deletion was requested, and its grace period; null while it is not terminating. Its remaining sessions still count. */
  readonly terminatingSince: number | null;
  readonly graceMs: number | null;
  /** What it says of itself; `pending` until it was asked for the first time. */
  readonly said: 'pending' | 'unreachable' | ProxyStatement;
  /** Code of what keeps it from saying more, or null. */
  readonly error: string | null;
}

/** What a proxy says of itself. */
export interface ProxyStatement {
  /** Revision of the config that it works on, or null. */
  readonly configRevision: string | null;
  /** Whether its HAProxy runs exactly that. */
  readonly synced: boolean;
  /** System error of its machine that keeps it from probing servers, or null. */
  readonly localError: string | null;
  /** Whether servers with more than half of the capacity stopped answering it together. */
  readonly panic: boolean;
  readonly clients: { readonly addresses: number; readonly most: number };
  readonly refusedLately: { readonly client: number; readonly full: number };
  readonly localPorts: { readonly taken: number; readonly of: number };
  /** Sessions that it can hold; 0 while that is not known. */
  readonly maxConnections: number;
  readonly servers: ReadonlyMap<string, ServerStatement>;
}

/** What a proxy says of a server. */
export interface ServerStatement {
  readonly sessions: number;
  /** False while one of its workers has not reported its sessions. */
  readonly counted: boolean;
  readonly admin: 'ready' | 'drain' | 'maint';
  readonly inRotation: boolean;
  /** Sessions that the proxy may hold on it as it runs now, those of its earlier workers among them. */
  readonly mayHold: number;
  /** How it stands with the proxy; null where it should not serve. */
  readonly health: HealthState | null;
  readonly cause: HealthCause | null;
  readonly learnedLimit: number | null;
  /** Whether it is a limit of sessions for sure, and none of connections. */
  readonly limitIsSure: boolean;
}

/** Every proxy of a pool together. */
export interface ProxySummary extends Omit<ProxyFacts, 'desired'> {
  /** Whether every proxy has been asked at least once; before that, nothing should be concluded. */
  readonly complete: boolean;
}

/**
 * Sums up what the proxies say. A server is empty only where every proxy says so, those that are terminating among them; it is in rotation
 * only where every ready proxy says so; one that cannot be heard does not take a server out, for its clients are served all the same, and
 * neither does one that reaches no server at all: that is its own trouble.
 *
 * @param revision of the config that they should run
 * @param names servers to sum up
 */
export function summarizeProxies(proxies: readonly ProxyReport[], revision: string, names: readonly string[]): ProxySummary {
  const staying = proxies.filter((proxy) => proxy.terminatingSince === null);
  const spoken = staying.filter((proxy) => statement(proxy) !== null);
  const synced = spoken.filter((proxy) => statement(proxy)?.synced === true && statement(proxy)?.configRevision === revision);
  const isolated = isolatedProxies(spoken);
  const statements = proxies.flatMap((proxy) => statement(proxy) ?? []);
  return {
    complete: proxies.every((proxy) => proxy.said !== 'pending'),
    reachable: spoken.length,
    synced: synced.length,
    lagging: staying.length - synced.length,
    isolated: isolated.map(({ name }) => name).sort(),
    panicking: spoken.filter((proxy) => statement(proxy)?.panic === true).map(({ name }) => name),
    localErrors: [...new Set(spoken.flatMap((proxy) => statement(proxy)?.localError ?? []))].sort(),
    ...sums(statements),
    errors: [...new Set(staying.flatMap(({ error }) => error ?? []))].sort(),
    // Where nobody speaks, nothing is known: not even that nobody is there.
    servers: new Map(
      proxies.every((proxy) => statement(proxy) === null)
        ? []
        : names.map((name) => [name, serverFacts(name, proxies, isolated, revision)]),
    ),
  };
}

function sums(
  statements: readonly ProxyStatement[],
): Pick<ProxySummary, 'sessions' | 'clients' | 'refusedLately' | 'localPorts' | 'maxConnections'> {
  const sum = (figure: (statement: ProxyStatement) => number): number => statements.reduce((total, each) => total + figure(each), 0);
  const [scarce = { taken: 0, of: 0 }] = statements
    .map(({ localPorts }) => localPorts)
    .sort((a, b) => b.taken / (b.of || 1) - a.taken / (a.of || 1));
  const known = statements.flatMap(({ maxConnections }) => (maxConnections === 0 ? [] : [maxConnections]));
  return {
    sessions: sum(({ servers }) => [...servers.values()].reduce((total, { sessions }) => total + sessions, 0)),
    clients: { addresses: sum(({ clients }) => clients.addresses), most: sum(({ clients }) => clients.most) },
    refusedLately: { client: sum(({ refusedLately }) => refusedLately.client), full: sum(({ refusedLately }) => refusedLately.full) },
    localPorts: scarce,
    maxConnections: known.length === 0 ? 0 : Math.min(...known),
  };
}

/** Of those that take new clients, the ones that find no server healthy while another one does. One that only begins takes none yet. */
function isolatedProxies(proxies: readonly ProxyReport[]): ProxyReport[] {
  const ready = proxies.filter((proxy) => proxy.ready);
  const asked = ready.length > 0 ? ready : proxies;
  const isolated = asked.filter((proxy) => {
    const judged = [...(statement(proxy)?.servers.values() ?? [])].filter(({ health }) => health !== null);
    return judged.length > 0 && !judged.some(answers);
  });
  return isolated.length < asked.length ? isolated : [];
}

/** @param isolated those of the proxies that have no say in what is in rotation */
function serverFacts(name: string, proxies: readonly ProxyReport[], isolated: readonly ProxyReport[], revision: string): ServerFacts {
  const all = proxies.map((proxy) => ({ proxy, said: statement(proxy), server: statement(proxy)?.servers.get(name) }));
  const speaking = all.filter(({ proxy, said }) => proxy.terminatingSince === null && said !== null && !isolated.includes(proxy));
  const ready = speaking.filter(({ proxy }) => proxy.ready);
  const routes = (some: typeof all): boolean => some.length > 0 && some.every(({ server }) => server?.inRotation === true);
  return {
    sessions: all.reduce((sum, { server }) => sum + (server?.sessions ?? 0), 0),
    // A proxy that does not mention a server has none of it only where it works on this very revision.
    counted: all.every(({ said, server }) => (server === undefined ? said?.configRevision === revision : server.counted)),
    outOfRotation: all.every(({ said, server }) => (server === undefined ? said?.configRevision === revision : server.admin !== 'ready')),
    inRotation: routes(ready),
    staysInRotation: routes(ready.length > 0 ? ready : speaking),
    ...jointStanding((ready.length > 0 ? ready : speaking).flatMap(({ server }) => server ?? [])),
  };
}

function statement(proxy: ProxyReport): ProxyStatement | null {
  return typeof proxy.said === 'string' ? null : proxy.said;
}
