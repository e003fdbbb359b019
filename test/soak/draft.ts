/** What a walk may change of one backend. */
export interface BackendDraft {
  readonly present: boolean;
  /** Counts its renamings: another name is another server. */
  readonly names: number;
  readonly weight: number | null;
  readonly role: 'Active' | 'Backup';
  readonly maxConnections: number | null;
  readonly cores: number | null;
  readonly drain: 'no' | 'soon' | 'later';
  readonly passive: boolean;
}

/** A pool as a walk changes it. The first backend stays Active and in the file. */
export interface PoolDraft {
  readonly backends: readonly BackendDraft[];
  readonly algorithm: 'LeastConnections' | 'RoundRobin' | 'SourceHash' | 'Random';
  readonly sticky: boolean;
  readonly policy: 'Formula' | 'Balanced' | 'Equal';
  readonly interval: '1s' | '2s' | '10s';
  readonly fall: 1 | 2 | 3;
  readonly rise: 1 | 2;
  readonly timeout: '1s' | '2s';
  readonly idle: '20m' | '30m' | '45m';
  readonly deadline: '2s' | '4s';
  readonly closePerSecond: 5 | 20 | 1_000;
}

const NEW_BACKEND: BackendDraft = {
  present: true,
  names: 0,
  weight: null,
  role: 'Active',
  maxConnections: null,
  cores: null,
  drain: 'no',
  passive: false,
};

/** A pool with so many backends, as the schema's defaults make it, but for short deadlines. */
export function newDraft(backends: number): PoolDraft {
  return {
    backends: Array.from({ length: backends }, () => NEW_BACKEND),
    algorithm: 'LeastConnections',
    sticky: true,
    policy: 'Formula',
    interval: '10s',
    fall: 3,
    rise: 2,
    timeout: '2s',
    idle: '30m',
    deadline: '4s',
    closePerSecond: 1_000,
  };
}

/** The spec that a person would write. @param address of each server, the first one first */
export function specOf(draft: PoolDraft, servers: readonly { readonly host: string; readonly port: number }[]): Record<string, unknown> {
  return {
    balance: { algorithm: draft.algorithm, stickiness: { mode: draft.sticky ? 'SourceAddress' : 'None' } },
    weights: { policy: draft.policy },
    health: { interval: draft.interval, fall: draft.fall, rise: draft.rise, timeout: draft.timeout },
    timeouts: { idle: draft.idle },
    drain: { deadline: draft.deadline, closePerSecond: draft.closePerSecond },
    backends: draft.backends.flatMap((backend, index) => {
      const server = servers[index];
      return backend.present && server !== undefined ? [backendOf(backend, index, server)] : [];
    }),
  };
}

function backendOf(
  { cores, drain, maxConnections, names, passive, role, weight }: BackendDraft,
  index: number,
  { host, port }: { readonly host: string; readonly port: number },
): Record<string, unknown> {
  const capacity = { ...(cores === null ? {} : { cores }), ...(maxConnections === null ? {} : { maxConnections }) };
  return {
    name: `b${index + 1}${'x'.repeat(names)}`,
    external: { address: host },
    port,
    role,
    ...(weight === null ? {} : { weight }),
    ...(Object.keys(capacity).length === 0 ? {} : { capacity }),
    ...(drain === 'no' ? {} : { drain: { enabled: true, deadline: drain === 'soon' ? '2s' : '1h' } }),
    ...(passive ? { health: { mode: 'Passive' } } : {}),
  };
}

/** Whether the sessions of a backend may be closed by a deadline from now on. */
export function mayEnd(before: BackendDraft | undefined, after: BackendDraft | undefined): boolean {
  return after === undefined || !after.present || after.drain === 'soon' || (before !== undefined && before.names !== after.names);
}
