import type { ProxyObservation, ServerObservation } from '../../src/haproxy/observation.ts';

/** What a proxy observes of a server `a` that serves three clients. */
export function aServerObservation(changes: Partial<ServerObservation> = {}): ServerObservation {
  return {
    name: 'a',
    id: 1,
    admin: 'ready',
    operational: 'up',
    inRotation: true,
    health: 'up',
    cause: null,
    learnedLimit: null,
    limitIsSure: false,
    checkStatus: 'L7OK',
    weight: 1,
    maxConnections: 1,
    sessions: 3,
    sessionsInOldWorkers: 0,
    counted: true,
    totalSessions: 3,
    withoutGreeting: 0,
    clientErrors: 0,
    ...changes,
  };
}

/** What a proxy observes that serves by one server. */
export function anObservation(server: Partial<ServerObservation> = {}, changes: Partial<ProxyObservation> = {}): ProxyObservation {
  return {
    configRevision: null,
    synced: true,
    error: null,
    masterPid: 1,
    currentPid: 2,
    oldWorkers: 0,
    structureHash: 'x',
    localError: null,
    panic: false,
    frontend: 'open',
    refused: { client: 0, full: 0, lately: { client: 0, full: 0 } },
    localPorts: { taken: 0, of: 28_232 },
    maxConnections: 1_000,
    clients: { addresses: 3, most: 1 },
    servers: [aServerObservation(server)],
    ...changes,
  };
}
