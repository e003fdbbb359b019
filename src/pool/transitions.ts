import type { PoolStatus, ServerStateName, ServerStatus } from '../api/v1alpha1/index.ts';

/** A server that is in another state than before; null stands for not there. */
export interface Transition {
  readonly server: string;
  readonly from: ServerStateName | null;
  readonly to: ServerStateName | null;
  readonly sessions: number;
  /** How many it had before. */
  readonly sessionsBefore: number;
  /** Why it is in that state, where there is more to say. */
  readonly message?: string;
}

/** What has changed from one status to the next, server by server. */
export function transitions(previous: PoolStatus | null, next: PoolStatus): Transition[] {
  const before = serversByName(previous);
  const after = serversByName(next);
  const changed = [...after.values()].flatMap((server): Transition[] => {
    const old = before.get(server.name);
    const from = old?.state ?? null;
    return from === server.state
      ? []
      : [
          {
            server: server.name,
            from,
            to: server.state,
            sessions: server.sessions,
            sessionsBefore: old?.sessions ?? 0,
            ...(server.message === undefined ? {} : { message: server.message }),
          },
        ];
  });
  const gone = [...before.values()].filter((server) => !after.has(server.name));
  return [
    ...changed,
    ...gone.map(
      ({ name, sessions, state }): Transition => ({ server: name, from: state, to: null, sessions: 0, sessionsBefore: sessions }),
    ),
  ];
}

function serversByName(status: PoolStatus | null): Map<string, ServerStatus> {
  return new Map(status?.backends.flatMap((backend) => backend.servers).map((server) => [server.name, server]));
}
