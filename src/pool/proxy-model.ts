import { durationMs, type PoolSpec } from '../api/v1alpha1/index.ts';
import type { Algorithm, ProxyModel, Structure, WantedServer } from '../haproxy/model.ts';
import type { Roster, RosterEntry } from './roster.ts';

const ALGORITHMS = {
  LeastConnections: 'leastconn',
  RoundRobin: 'roundrobin',
  SourceHash: 'source',
  Random: 'random',
} as const satisfies Record<PoolSpec['balance']['algorithm'], Algorithm>;

/** Where a proxy runs: what the pool does not say and the machine does. */
export interface ProxyRuntime {
  readonly bindAddress: string;
  /** Port that it listens on, where that is not the pool's. */
  readonly port?: number;
  /** Sessions that the proxy may hold; at most what the pool asks for. */
  readonly maxConnections: number;
  readonly sockets: Structure['sockets'];
  readonly user: Structure['user'];
  /** Proxies that share what each server may hold, ≥ 1; one unless said. */
  readonly proxies?: number;
}

/** What one proxy of a pool should be. */
export function proxyModel(spec: PoolSpec, roster: Roster, runtime: ProxyRuntime): ProxyModel {
  const passive = passiveBackends(spec);
  return {
    structure: structureOf(spec, runtime),
    servers: roster.map((entry) => ({ ...wantedServer(entry, spec, passive), maxConnections: evenShare(entry, runtime.proxies ?? 1) })),
    closePerSecond: spec.drain.closePerSecond,
    frontend: 'open',
  };
}

function structureOf(spec: PoolSpec, runtime: ProxyRuntime): Structure {
  const { balance, health, limits, timeouts } = spec;
  return {
    bind: { address: runtime.bindAddress, port: runtime.port ?? spec.port },
    alsoBind: [],
    proxyProtocolFrom: spec.proxy.proxyProtocol?.from ?? [],
    maxConnections: runtime.maxConnections,
    algorithm: ALGORITHMS[balance.algorithm],
    stickinessMs: balance.stickiness.mode === 'None' ? null : durationMs(balance.stickiness.ttl),
    check: {
      probe: health.probe === 'Greeting' ? 'greeting' : 'connect',
      intervalMs: durationMs(health.interval),
      fastIntervalMs: durationMs(health.fastInterval),
      timeoutMs: durationMs(health.timeout),
      fall: health.fall,
      rise: health.rise,
      closeHungSessions: health.onDown === 'CloseSessions',
    },
    connectMs: durationMs(timeouts.connect),
    idleMs: durationMs(timeouts.idle),
    perClient: { connections: limits?.perClient?.connections ?? null, newPer10s: limits?.perClient?.newPer10s ?? null },
    sockets: runtime.sockets,
    user: runtime.user,
  };
}

/** What a proxy may hold on a server that was given no share of its own: one that comes while no operator is there. */
export function evenShare({ maxConnections }: RosterEntry, proxies: number): number {
  return Math.max(1, Math.floor(maxConnections / proxies));
}

/** Names of backends whose servers are not to be probed; those that have left the spec are what the pool says. */
function passiveBackends({ backends, health }: PoolSpec): (backend: string) => boolean {
  const modes = new Map(backends.map((backend) => [backend.name, backend.health?.mode]));
  return (backend) => (modes.get(backend) ?? health.mode) === 'Passive';
}

function wantedServer(entry: RosterEntry, spec: PoolSpec, passive: (backend: string) => boolean): WantedServer {
  // HAProxy would still send remembered clients to a server of weight 0; drained, it takes no new sessions at all.
  const outOfRotation = entry.drain.kind === 'draining' || entry.containersNotReady === true || entry.weight === 0;
  return {
    id: entry.id,
    name: entry.name,
    address: entry.address,
    port: entry.port,
    weight: entry.weight,
    maxConnections: entry.maxConnections,
    backup: entry.role === 'Backup',
    passive: passive(entry.backend),
    state: outOfRotation ? 'drain' : 'ready',
    deadlineAt: entry.drain.kind === 'draining' && spec.drain.onDeadline === 'Close' ? entry.drain.since + entry.deadlineMs : null,
  };
}
