/** Why a server is being drained: it was requested, or the server is on its way out of the pool. */
export type DrainReason = 'requested' | 'removed';

/** Whether a server is being drained, and since when. */
export type DrainState =
  | { readonly kind: 'active' }
  | { readonly kind: 'draining'; readonly reason: DrainReason /** Milliseconds since the epoch. */; readonly since: number };

/** The state of a server that is not being drained. */
export const ACTIVE: DrainState = { kind: 'active' };

/**
 * The next state of a drain. A request starts the clock once; asking again does not restart it, changing the reason keeps it, and
 * only the end of every request undoes it. A clock that was set back never makes the drain longer than from now.
 *
 * @param reason why the server should be drained now, or null when nothing asks for it
 * @param now milliseconds since the epoch
 */
export function nextDrainState(state: DrainState, reason: DrainReason | null, now: number): DrainState {
  if (reason === null) return ACTIVE;
  const since = state.kind === 'draining' ? Math.min(state.since, now) : now;
  return state.kind === 'draining' && state.reason === reason && state.since === since ? state : { kind: 'draining', reason, since };
}

/** The sessions of a server over all proxies. */
export interface SessionCount {
  readonly sessions: number;
  /** Whether every worker of every proxy has reported its own; before that there may be more. */
  readonly counted: boolean;
  /** Whether every proxy was seen to send no new sessions; before that, zero sessions prove nothing. */
  readonly outOfRotation: boolean;
}

/** How far a server's drain has come, judged once per pass. */
export type DrainVerdict =
  | { readonly kind: 'active' }
  /** Not drained, but its weight keeps new sessions away; without a deadline. */
  | { readonly kind: 'weightZero'; readonly empty: boolean }
  /** `deadlineAt` in milliseconds since the epoch. */
  | { readonly kind: 'draining'; readonly deadlineAt: number; readonly overdue: boolean }
  | { readonly kind: 'drained' };

/** A server, as far as its drain goes. */
export interface Drainable {
  readonly weight: number;
  readonly drain: DrainState;
  /** How long its drain may take, in milliseconds. */
  readonly deadlineMs: number;
}

/**
 * Judges a drain by what was read back.
 *
 * @param count null while nothing is known: unknown is never empty
 * @param now milliseconds since the epoch
 */
export function drainVerdict({ deadlineMs, drain, weight }: Drainable, count: SessionCount | null, now: number): DrainVerdict {
  const empty = count?.counted === true && count.sessions === 0 && count.outOfRotation;
  if (drain.kind === 'active') return weight === 0 ? { kind: 'weightZero', empty } : { kind: 'active' };
  if (empty) return { kind: 'drained' };
  const deadlineAt = drain.since + deadlineMs;
  return { kind: 'draining', deadlineAt, overdue: now >= deadlineAt };
}
