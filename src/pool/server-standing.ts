import type { HealthCause, HealthState } from '../haproxy/health/health-state.ts';

/** How a server stands with one proxy, or with all of them. */
export interface ServerStanding {
  /** Null where it is not judged, because it should not serve. */
  readonly health: HealthState | null;
  readonly cause: HealthCause | null;
  /** Sessions above which it has refused more, or null. */
  readonly learnedLimit: number | null;
  /** Whether it is a limit of sessions for sure, and none of connections. */
  readonly limitIsSure: boolean;
}

/** The worst first: what one proxy has found out the others may not have noticed yet. A server is full only where all of them say so. */
const WORST_FIRST: readonly HealthState[] = ['hung', 'refusing', 'unreachable', 'down', 'joining', 'checking'];

/** Whether a proxy gets answers from a server. */
export function answers({ health }: Pick<ServerStanding, 'health'>): boolean {
  return health === 'up' || health === 'full';
}

/** How a server stands with several proxies together. */
export function jointStanding(standings: readonly ServerStanding[]): ServerStanding {
  const judged = standings.filter(({ health }) => health !== null);
  if (judged.length === 0) return { health: null, cause: null, learnedLimit: null, limitIsSure: false };
  const limits = judged.map(({ learnedLimit }) => learnedLimit);
  const learnedLimit = limits.some((limit) => limit === null) ? null : limits.reduce<number>((sum, limit) => sum + (limit ?? 0), 0);
  const limitIsSure = judged.every((each) => each.limitIsSure);
  for (const state of WORST_FIRST) {
    const worst = judged.find(({ health }) => health === state);
    if (worst !== undefined) return { health: state, cause: worst.cause, learnedLimit, limitIsSure };
  }
  const full = judged.every(({ health }) => health === 'full');
  return { health: full ? 'full' : 'up', cause: full ? (judged[0]?.cause ?? null) : null, learnedLimit, limitIsSure };
}
