import type { ProxyModel, Structure, WantedServer } from '../haproxy/model.ts';
import type { BackendDrainState } from './backend-link.ts';

/** How this proxy stops: first no new sessions, then none at all. */
export interface SoftStopState {
  /** As it was when the end began: a reload would let clients in again. Null where the agent does not know it yet. */
  readonly structure: Structure | null;
  /** Whether new clients are let in still. */
  readonly frontend: 'open' | 'paused';
  /** When sessions are closed, in milliseconds since the epoch, or null for not yet or never. */
  readonly deadlineAt: number | null;
}

/**
 * What HAProxy should be, by everybody who has a say: what the operator asks for, what the servers' own agents say, and how this proxy ends.
 * The strictest wins: a server is drained when anybody says so, and its sessions are closed at the earliest of the times.
 *
 * @param states what the servers' agents say, by server
 * @param end null while this proxy does not end
 */
export function effectiveConfig(model: ProxyModel, states: ReadonlyMap<string, BackendDrainState>, end: SoftStopState | null): ProxyModel {
  const servers = model.servers.map((server) => {
    const state = states.get(server.name);
    const drained = state?.draining === true ? drain(server, state.deadlineAt) : server;
    return end?.deadlineAt === null || end === null ? drained : drain(drained, end.deadlineAt);
  });
  return { ...model, structure: end?.structure ?? model.structure, servers, frontend: end?.frontend ?? model.frontend };
}

function drain(server: WantedServer, deadlineAt: number | null): WantedServer {
  const times = [server.deadlineAt, deadlineAt].filter((time) => time !== null);
  return { ...server, state: 'drain', deadlineAt: times.length === 0 ? null : Math.min(...times) };
}

/** The model without the times at which sessions are closed, as long as the API server's time is not known. */
export function withoutTimes(model: ProxyModel): ProxyModel {
  return { ...model, servers: model.servers.map((server) => ({ ...server, deadlineAt: null })) };
}
