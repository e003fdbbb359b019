import type { SessionCount } from './drain.ts';
import type { ProxyReport, ProxyStatement } from './proxy-report.ts';
import { answers, jointStanding, type ServerStanding } from './server-standing.ts';

/** How a server does, over all proxies; a server that no proxy has reported yet is missing. */
export interface ServerFacts extends ServerStanding, SessionCount {
  /** Whether every proxy that takes new clients would send it some. */
  readonly inRotation: boolean;
  /** Whether it stays in rotation: where no proxy counts as ready, as after a failed probe, what their HAProxies do decides. */
  readonly staysInRotation: boolean;
}

/** Every proxy of a pool together. */
export interface ProxySummary {
  /** Whether every proxy has been asked at least once; before that, nothing should be concluded. */
  readonly complete: boolean;
  readonly reachable: number;
  readonly synced: number;
  /** Proxies that are there and do not run what was asked for. */
  readonly lagging: number;
  /** Names of proxies that cannot be heard. */
  readonly unheard: readonly string[];
  /** Names of proxies that find no server healthy, while others do. */
  readonly isolated: readonly string[];
  /** Names of proxies that more than half of the capacity stopped answering together. */
  readonly panicking: readonly string[];
  /** System errors that keep proxies from probing servers, such as `EADDRNOTAVAIL`. */
  readonly localErrors: readonly string[];
  /** Sessions over all of them. */
  readonly sessions: number;
  /** Addresses that sessions come from, and sessions of the one with the most. */
  readonly clients: { readonly addresses: number; readonly most: number };
  /** Clients refused in the last minute: by the limits of their address, and because a proxy was full. */
  readonly refusedLately: { readonly client: number; readonly full: number };
  /** Local ports of the proxy with the fewest left. */
  readonly localPorts: { readonly taken: number; readonly of: number };
  /** Sessions that the proxy with the fewest places can hold; 0 while that is not known. */
  readonly maxConnections: number;
  /** What they complain of, by code. */
  readonly errors: readonly string[];
  readonly servers: ReadonlyMap<string, ServerFacts>;
}

/** The summary of no proxies at all. */
export const NO_PROXIES: ProxySummary = {
  complete: true,
  reachable: 0,
  synced: 0,
  lagging: 0,
  unheard: [],
  isolated: [],
  panicking: [],
  localErrors: [],
  sessions: 0,
  clients: { addresses: 0, most: 0 },
  refusedLately: { client: 0, full: 0 },
  localPorts: { taken: 0, of: 0 },
  maxConnections: 0,
  errors: [],
  servers: new Map(),
};

/**
 * Sums up what the proxies say. A server is empty only where every proxy says so, those that are terminating among them; it is in rotation
 * only where every ready proxy says so; one that cannot be heard does not take a server out, for its clients are served all the same, and
 * neither does one that reaches no server at all: that is its own trouble.
 *
 * @param revision of the config that they should run; null while there is none, so that only servers that are mentioned count
 * @param names servers to sum up
 */
export function summarizeProxies(proxies: readonly ProxyReport[], revision: string | null, names: readonly string[]): ProxySummary {
  const staying = proxies.filter((proxy) => proxy.terminatingSince === null);
  const spoken = speaking(proxies);
  const synced = spoken.filter((proxy) => statement(proxy)?.synced === true && runs(statement(proxy), revision));
  const isolated = isolatedProxies(spoken);
  const statements = proxies.flatMap((proxy) => statement(proxy) ?? []);
  return {
    complete: proxies.every((proxy) => proxy.said !== 'pending'),
    reachable: spoken.length,
    synced: synced.length,
    lagging: staying.length - synced.length,
    unheard: staying.flatMap(({ name, said }) => (said === 'unreachable' ? [name] : [])).sort(),
    isolated: isolated.map(({ name }) => name).sort(),
    panicking: spoken.filter((proxy) => statement(proxy)?.panic === true).map(({ name }) => name),
    localErrors: [...new Set(spoken.flatMap((proxy) => statement(proxy)?.localError ?? []))].sort(),
    ...sums(statements),
    errors: [...new Set(staying.flatMap(({ error }) => error ?? []))].sort(),
    servers: allFacts(names, proxies, isolated, revision),
  };
}

/**
 * How each of these servers does, over all proxies.
 *
 * @param revision of the config that they should run; null while there is none, so that only servers that are mentioned count
 */
export function serverFactsByName(
  proxies: readonly ProxyReport[],
  revision: string | null,
  names: readonly string[],
): ReadonlyMap<string, ServerFacts> {
  return allFacts(names, proxies, isolatedProxies(speaking(proxies)), revision);
}

/** @param isolated those of the proxies that have no say in what is in rotation */
function allFacts(
  names: readonly string[],
  proxies: readonly ProxyReport[],
  isolated: readonly ProxyReport[],
  revision: string | null,
): ReadonlyMap<string, ServerFacts> {
  // Where no proxy reports, nothing is known: not even that a server is empty.
  if (proxies.every((proxy) => statement(proxy) === null)) return new Map();
  return new Map(names.map((name) => [name, serverFacts(name, proxies, isolated, revision)]));
}

/** Proxies that stay and have said something. */
function speaking(proxies: readonly ProxyReport[]): ProxyReport[] {
  return proxies.filter((proxy) => proxy.terminatingSince === null && statement(proxy) !== null);
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

function serverFacts(
  name: string,
  proxies: readonly ProxyReport[],
  isolated: readonly ProxyReport[],
  revision: string | null,
): ServerFacts {
  const all = proxies.map((proxy) => ({ proxy, said: statement(proxy), server: statement(proxy)?.servers.get(name) }));
  const heard = all.filter(({ proxy, said }) => proxy.terminatingSince === null && said !== null && !isolated.includes(proxy));
  const ready = heard.filter(({ proxy }) => proxy.ready);
  const routes = (some: typeof all): boolean => some.length > 0 && some.every(({ server }) => server?.inRotation === true);
  return {
    sessions: all.reduce((sum, { server }) => sum + (server?.sessions ?? 0), 0),
    // A proxy that does not mention a server has none of it only where it works on this very revision.
    counted: all.every(({ said, server }) => (server === undefined ? runs(said, revision) : server.counted)),
    outOfRotation: all.every(({ said, server }) => (server === undefined ? runs(said, revision) : server.admin !== 'ready')),
    inRotation: routes(ready),
    staysInRotation: routes(ready.length > 0 ? ready : heard),
    ...jointStanding((ready.length > 0 ? ready : heard).flatMap(({ server }) => server ?? [])),
  };
}

/** Whether a proxy works on a config. */
function runs(said: ProxyStatement | null, revision: string | null): boolean {
  return revision !== null && said?.configRevision === revision;
}

function statement(proxy: ProxyReport): ProxyStatement | null {
  return typeof proxy.said === 'string' ? null : proxy.said;
}
