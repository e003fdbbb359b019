import type { ActualProxy } from './actual.ts';
import type { Ruling } from './health/watched-server.ts';
import type { ProxyModel, WantedServer } from './model.ts';

/** A server as HAProxy should run it now: what is wanted of it, and what its health and its other sessions leave of that. */
export interface EffectiveServer extends WantedServer {
  /** Whether it should serve but has not been heard yet: until then its line drains. */
  readonly awaits: boolean;
  /** Whether it may take new sessions; HAProxy treats one that may not as down, which closes no session. */
  readonly usable: boolean;
  /** Whether HAProxy's own checks run. */
  readonly ownChecks: boolean;
}

/** What one HAProxy should be now. */
export interface EffectiveModel extends Omit<ProxyModel, 'servers'> {
  readonly servers: readonly EffectiveServer[];
}

/** A server that was not judged yet: it joins. */
const UNKNOWN = { joined: false, usable: true, learnedLimit: null, ownChecks: true } as const;

/**
 * Takes off what a server cannot take: it has not been heard, its health says no, or its places are taken by sessions that HAProxy's own
 * limit does not see, those of workers from before a reload and of other lines with the same address and port.
 *
 * @param rulings by server name
 */
export function effectiveModel(wanted: ProxyModel, actual: ActualProxy, rulings: ReadonlyMap<string, Ruling>): EffectiveModel {
  const held = heldByOthers(actual);
  const servers = wanted.servers.map((server): EffectiveServer => {
    const ruling = rulings.get(server.name) ?? UNKNOWN;
    const awaits = server.state === 'ready' && !ruling.joined;
    const room = limitOf(server, ruling.learnedLimit) - held(server);
    return {
      ...server,
      state: awaits ? 'drain' : server.state,
      awaits,
      maxConnections: Math.max(1, room),
      usable: server.state === 'drain' || awaits || (ruling.usable && room >= 1),
      ownChecks: server.passive ? false : ruling.ownChecks,
    };
  });
  return { ...wanted, servers };
}

/** Places that each server will have left once every session of now is an earlier worker's, by name. */
export function roomAfterReload(
  wanted: ProxyModel,
  actual: ActualProxy,
  rulings: ReadonlyMap<string, Ruling>,
): ReadonlyMap<string, number> {
  const held = heldByOthers(actual);
  const own = new Map(actual.current.servers.map(({ name, sessions }) => [name, sessions]));
  return new Map(
    wanted.servers.map((server) => {
      const limit = limitOf(server, rulings.get(server.name)?.learnedLimit ?? null);
      return [server.name, limit - held(server) - (own.get(server.name) ?? 0)];
    }),
  );
}

/** Sessions that a server may hold, by what is written and by what it has shown. */
export function limitOf(server: WantedServer, learned: number | null): number {
  return learned === null ? server.maxConnections : Math.min(server.maxConnections, learned);
}

/** Sessions on the same address and port that the limit of a server's own line does not count. */
export function heldByOthers(actual: ActualProxy): (server: WantedServer) => number {
  const sums = new Map<string, number>();
  const add = (name: string, sessions: number): void => {
    if (sessions > 0) sums.set(targetOf(name), (sums.get(targetOf(name)) ?? 0) + sessions);
  };
  const own = new Map(actual.current.servers.map(({ name, sessions }) => [name, sessions]));
  for (const [name, sessions] of own) add(name, sessions);
  for (const worker of actual.old) for (const [name, sessions] of worker.sessions ?? []) add(name, sessions);
  return ({ name }) => (sums.get(targetOf(name)) ?? 0) - (own.get(name) ?? 0);
}

/** Address and port of a server, which its name ends with: so lines of one server are known in workers that know nothing else of it. */
function targetOf(name: string): string {
  return name.slice(name.lastIndexOf('-') + 1);
}
