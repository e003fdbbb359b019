import { type CccamPool, parsePool } from '../../src/api/v1alpha1/index.ts';
import type { ActualProxy, ActualServer, ActualWorker } from '../../src/haproxy/actual.ts';
import type { EffectiveModel, EffectiveServer } from '../../src/haproxy/effective.ts';
import { BACKEND, type ProxyModel, REFUSAL_ROOM, type Structure, type WantedServer } from '../../src/haproxy/model.ts';
import { bindText, structureHash } from '../../src/haproxy/render.ts';
import type { PodFacts } from '../../src/pool/pod-facts.ts';

/** A plain object as a person would write it, with the spec given. */
export function poolObject(spec: Record<string, unknown> = {}, name = 'living-room'): Record<string, unknown> {
  return {
    apiVersion: 'cccam.dev/v1alpha1',
    kind: 'CccamPool',
    metadata: { name },
    spec: { backends: [{ name: 'one', external: { address: '127.0.1.1' } }], ...spec },
  };
}

/** A parsed pool for a box. */
export function aPool(spec: Record<string, unknown> = {}): CccamPool {
  return parsePool(poolObject(spec), 'standalone').pool;
}

/** An external backend as a person would write it. */
export function aBackend(name: string, address: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, external: { address }, port: 12_001, ...more };
}

export function aStructure(changes: Partial<Structure> = {}): Structure {
  return {
    bind: { address: '0.0.0.0', port: 12_000 },
    alsoBind: [],
    proxyProtocolFrom: [],
    maxConnections: 1_000,
    algorithm: 'leastconn',
    stickinessMs: 3_600_000,
    check: { probe: 'greeting', intervalMs: 10_000, fastIntervalMs: 1_000, timeoutMs: 2_000, fall: 3, rise: 2, closeHungSessions: true },
    connectMs: 10_000,
    idleMs: 1_800_000,
    perClient: { connections: null, newPer10s: null },
    sockets: { runtime: '/run/ccp/runtime.sock', peers: '/run/ccp/peers.sock' },
    user: null,
    ...changes,
  };
}

export function aServer(id: number, changes: Partial<WantedServer> = {}): WantedServer {
  return {
    id,
    name: `s${id}-127.0.1.${id}:12001`,
    address: `127.0.1.${id}`,
    port: 12_001,
    weight: 100,
    maxConnections: 500,
    backup: false,
    passive: false,
    state: 'ready',
    deadlineAt: null,
    ...changes,
  };
}

export function aModel(servers: readonly WantedServer[], structure: Structure = aStructure()): ProxyModel {
  return { structure, servers, closePerSecond: 20, frontend: 'open' };
}

/** What is wanted as it should run where nothing is wrong: every server was heard, and may be used. */
export function anEffectiveModel(
  servers: readonly (WantedServer & Partial<EffectiveServer>)[],
  structure: Structure = aStructure(),
): EffectiveModel {
  return { ...aModel([], structure), servers: servers.map((server) => ({ awaits: false, usable: true, ownChecks: true, ...server })) };
}

/** A server as it is read back when it runs just as wanted. */
export function anActualServer(server: WantedServer, changes: Partial<ActualServer> = {}): ActualServer {
  return {
    id: server.id,
    name: server.name,
    address: server.address,
    port: server.port,
    weight: server.weight,
    maxConnections: server.maxConnections,
    backup: server.backup,
    admin: server.state,
    operational: 'up',
    checks: 'on',
    checksOwnAddress: true,
    checkStatus: 'L7OK',
    sessions: 0,
    queued: 0,
    totalSessions: 0,
    withoutGreeting: 0,
    clientErrors: 0,
    remembered: 0,
    ...changes,
  };
}

/** A worker that runs these servers under this structure. */
export function anActualWorker(
  servers: readonly ActualServer[],
  structure: Structure = aStructure(),
  changes: Partial<ActualWorker> = {},
): ActualWorker {
  return {
    pid: 100,
    structureHash: structureHash(structure),
    binds: [bindText(structure.bind)],
    stopping: false,
    uptimeSeconds: 60,
    servers,
    process: {
      frontend: 'open',
      frontendLimit: structure.maxConnections + REFUSAL_ROOM,
      globalLimit: structure.maxConnections + REFUSAL_ROOM,
      rateLimited: false,
      tables: new Map(structure.stickinessMs === null ? [] : [[BACKEND, 0]]),
      heldByOld: 0,
      refused: { client: 0, full: 0 },
    },
    ...changes,
  };
}

/** A proxy with this worker and no other. */
export function anActualProxy(current: ActualWorker, old: ActualProxy['old'] = []): ActualProxy {
  return { masterPid: 1, current, old };
}

/** A pod of a backend that was just made: no address yet, nothing ready. */
export function aPodOf(backend: string, changes: Partial<PodFacts> = {}): PodFacts {
  return {
    name: `p-${backend}-1-x`,
    uid: 'u',
    backend,
    port: 12_000,
    address: null,
    terminatingSince: null,
    gracePeriodMs: null,
    agentPort: 9_322,
    agent: null,
    drain: null,
    drainSince: null,
    containersReady: false,
    finished: false,
    deletionCost: null,
    conditions: new Map(),
    ...changes,
  };
}
