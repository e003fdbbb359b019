import type { ServerStateName, ServerStatus } from '../api/v1alpha1/index.ts';
import type { HealthState } from '../haproxy/health/health-state.ts';
import { healthWords } from '../haproxy/health/health-words.ts';
import { hostPort } from '../runtime/host-port.ts';
import { rfc3339 } from '../runtime/rfc3339.ts';
import type { PoolServer } from './decide.ts';
import type { ServerFacts } from './proxy-summary.ts';
import type { RosterEntry } from './roster.ts';

/** What the status says of a server. @param shiftMs added to every time that is shown */
export function serverStatus(server: PoolServer, shiftMs: number): ServerStatus {
  const { entry, facts, verdict } = server;
  return {
    name: entry.name,
    address: hostPort(entry.address, entry.port),
    state: stateOf(server),
    sessions: facts?.sessions ?? 0,
    ...drainTimes(entry, shiftMs),
    ...(verdict.kind === 'active' || verdict.kind === 'weightZero' ? messageOf(facts) : {}),
  };
}

/** Whether a server serves its clients, with room for more or without. */
export function serves(state: ServerStateName | undefined): boolean {
  return state === 'Up' || state === 'Full';
}

function drainTimes({ deadlineMs, drain }: RosterEntry, shiftMs: number): Pick<ServerStatus, 'since' | 'deadline'> {
  if (drain.kind === 'active') return {};
  const since = drain.since + shiftMs;
  return { since: rfc3339(since), deadline: rfc3339(since + deadlineMs) };
}

function stateOf({ facts, verdict }: PoolServer): ServerStateName {
  switch (verdict.kind) {
    case 'drained':
      return 'Drained';
    case 'draining':
      return 'Draining';
    case 'weightZero':
      return facts === null ? 'Unknown' : verdict.empty ? 'Drained' : 'Draining';
    case 'active':
      return facts === null ? 'Unknown' : activeState(facts);
  }
}

function activeState({ health, inRotation }: ServerFacts): ServerStateName {
  if (health === null) return inRotation ? 'Up' : 'Joining';
  return health === 'up' && !inRotation ? 'Joining' : STATES[health];
}

const STATES: Readonly<Record<HealthState, ServerStateName>> = {
  joining: 'Joining',
  up: 'Up',
  checking: 'Checking',
  full: 'Full',
  refusing: 'RefusesProxy',
  unreachable: 'Unreachable',
  hung: 'Hung',
  down: 'Down',
};

/** Why a server is not simply up, and what to do. */
function messageOf(facts: ServerFacts | null): { message?: string } {
  if (facts === null || facts.health === null) return {};
  const { cause, health, learnedLimit, limitIsSure, sessions } = facts;
  const message = healthWords({ state: health, cause, sessions, learnedLimit, limitIsSure });
  return message === '' ? {} : { message };
}
