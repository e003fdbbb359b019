import type { ProxyModel } from '../haproxy/model.ts';
import type { SharesOfProxy } from '../wire/proxy-config.ts';
import { limitShares } from './limit-shares.ts';
import type { ProxyReport } from './proxy-report.ts';
import type { Roster, RosterEntry } from './roster.ts';

/** Shares each server's limit out to the proxies: those that a single one gets need not be written. */
export function withShares(roster: Roster, proxies: readonly ProxyReport[]): Roster {
  if (proxies.length < 2) return roster.map(({ shares: _, ...entry }) => entry);
  const holders = proxies.map((proxy) => ({ proxy, said: typeof proxy.said === 'string' ? null : proxy.said }));
  const demand = new Map(
    holders.map(({ proxy, said }) => [proxy.name, [...(said?.servers.values() ?? [])].reduce((sum, { sessions }) => sum + sessions, 0)]),
  );
  // Before every proxy was asked once, as after a start of the operator, it is not known where the clients are.
  const unasked = proxies.some(({ said }) => said === 'pending');
  return roster.map((entry) => {
    if (unasked && isShared(entry, proxies)) return entry;
    const before = new Map(Object.entries(entry.shares ?? {}));
    const shares = limitShares(
      entry.maxConnections,
      holders.map(({ proxy, said }) => {
        const server = said?.servers.get(entry.name);
        return {
          name: proxy.name,
          holds: server?.sessions ?? 0,
          mayHold: said === null ? null : (server?.mayHold ?? 0),
          demand: demand.get(proxy.name) ?? 0,
          staying: proxy.terminatingSince === null,
        };
      }),
      new Map(proxies.flatMap(({ name }) => (before.has(name) ? [[name, before.get(name) ?? 0]] : []))),
    );
    return { ...entry, shares: Object.fromEntries(shares) };
  });
}

/** Whether its limit is shared out to exactly these proxies. */
function isShared({ maxConnections, shares = {} }: RosterEntry, proxies: readonly ProxyReport[]): boolean {
  const given = Object.values(shares).reduce((sum, share) => sum + share, 0);
  return given <= maxConnections && Object.keys(shares).length === proxies.length && proxies.every(({ name }) => name in shares);
}

/** Shares that differ from the even one. */
export function sharesOf(model: ProxyModel, roster: Roster, proxies: readonly ProxyReport[]): SharesOfProxy[] {
  const even = new Map(model.servers.map(({ id, maxConnections }) => [id, maxConnections]));
  return proxies.flatMap(({ name }) => {
    const limits = roster.flatMap(({ id, shares }): [number, number][] => {
      const share = shares?.[name];
      return share === undefined || share === even.get(id) ? [] : [[id, share]];
    });
    return limits.length === 0 ? [] : [{ proxy: name, limits }];
  });
}
