/** Why a server is being drained: a person asked, or it is on its way out of the pool. */
export type DrainReason = 'requested' | 'removed';

/** Where a server stands between rotation and empty. */
export type DrainState =
  | { readonly kind: 'active' }
  | { readonly kind: 'draining'; readonly reason: DrainReason /** Milliseconds since the epoch. */; readonly since: number };

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

/** How far a drain has come. */
export type DrainProgress =
  | { readonly kind: 'active' }
  | { readonly kind: 'draining'; readonly deadline: number; readonly sessions: number | null }
  | { readonly kind: 'overdue'; readonly deadline: number; readonly sessions: number | null }
  | { readonly kind: 'drained' };

/**
 * Judges a drain by what was read back.
 *
 * @param sessions live sessions over every proxy and every worker, or null while that is not known: unknown is never empty
 * @param outOfRotation whether every proxy was seen to send nobody new; before that, zero sessions prove nothing
 */
export function drainProgress(
  state: DrainState,
  deadlineMs: number,
  sessions: number | null,
  outOfRotation: boolean,
  now: number,
): DrainProgress {
  if (state.kind === 'active') return { kind: 'active' };
  if (sessions === 0 && outOfRotation) return { kind: 'drained' };
  const deadline = state.since + deadlineMs;
  return now >= deadline ? { kind: 'overdue', deadline, sessions } : { kind: 'draining', deadline, sessions };
}
