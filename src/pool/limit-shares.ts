/** One proxy, as far as the limit of one server concerns it. */
export interface ShareHolder {
  readonly name: string;
  /** Sessions that it holds on the server, those of its earlier workers among them. */
  readonly holds: number;
  /** Sessions that it may hold there as its HAProxy runs now; null while it does not say. */
  readonly mayHold: number | null;
  /** Sessions that it holds altogether: where clients come. */
  readonly demand: number;
  /** Whether it takes new clients, or will. */
  readonly staying: boolean;
}

/** Part of the free places that is spread evenly, so that a proxy to which clients turn has some at once. */
const EVEN_PART = 0.1;

/**
 * How many sessions each proxy may hold on a server, so that all together never hold more than it can.
 *
 * Free places go to where the clients are: a load balancer may send everybody to one proxy. A share only grows by what the others have been
 * seen to let go, and only changes where a proxy has less than half of the room that it should have.
 *
 * @param total of the server
 * @param previous shares by proxy, as they were handed out last
 * @returns whole numbers ≥ 0 by proxy
 */
export function limitShares(
  total: number,
  proxies: readonly ShareHolder[],
  previous: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const ideal = idealShares(total, proxies);
  if (stillFits(total, proxies, previous, ideal)) return new Map(proxies.map(({ name }) => [name, previous.get(name) ?? 0]));
  const taken = (proxy: ShareHolder): number =>
    Math.max(ideal.get(proxy.name) ?? 0, proxy.holds, proxy.mayHold ?? previous.get(proxy.name) ?? 0);
  const all = proxies.reduce((sum, proxy) => sum + taken(proxy), 0);
  return new Map(proxies.map((proxy) => [proxy.name, Math.max(0, Math.min(ideal.get(proxy.name) ?? 0, total - (all - taken(proxy))))]));
}

function idealShares(total: number, proxies: readonly ShareHolder[]): ReadonlyMap<string, number> {
  const free = Math.max(0, total - proxies.reduce((sum, { holds }) => sum + holds, 0));
  const staying = proxies.filter((proxy) => proxy.staying);
  const demand = staying.reduce((sum, proxy) => sum + proxy.demand, 0);
  const part = (proxy: ShareHolder): number => {
    if (!proxy.staying) return 0;
    const even = 1 / staying.length;
    return demand === 0 ? even : EVEN_PART * even + (1 - EVEN_PART) * (proxy.demand / demand);
  };
  const shares = new Map(proxies.map((proxy) => [proxy.name, proxy.holds + Math.floor(free * part(proxy))]));
  // What rounding has left goes to who needs it most.
  const [first] = [...staying].sort((a, b) => b.demand - a.demand || (a.name < b.name ? -1 : 1));
  const given = [...shares.values()].reduce((sum, share) => sum + share, 0);
  if (first !== undefined && given < total) shares.set(first.name, (shares.get(first.name) ?? 0) + total - given);
  return shares;
}

function stillFits(
  total: number,
  proxies: readonly ShareHolder[],
  previous: ReadonlyMap<string, number>,
  ideal: ReadonlyMap<string, number>,
): boolean {
  const sum = proxies.reduce((each, { name }) => each + (previous.get(name) ?? 0), 0);
  if (sum > total || previous.size !== proxies.length) return false;
  return proxies.every(({ holds, name, staying }) => {
    const share = previous.get(name);
    if (share === undefined) return false;
    const room = share - holds;
    return staying ? 2 * room >= (ideal.get(name) ?? 0) - holds : room <= 0;
  });
}
