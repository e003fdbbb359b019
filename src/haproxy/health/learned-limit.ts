/**
 * How many sessions a server really holds, learned from when it takes connections and when it does not. Servers have limits that no one
 * wrote down: a licence, 1 024 open files, a setting. One that is full closes or ignores the next client and serves the others on.
 */
export interface LearnedLimit {
  /** Sessions above which it refuses more, or null while that is not known. */
  readonly sessions: number | null;
  /** The limit as it was learned first in this episode; one that keeps refusing far below it is not full. */
  readonly first: number | null;
  /** Places given back after the next connection that it takes at its limit; doubles with each. */
  readonly step: number;
  /** Whether it took a connection again after a session had ended: one that bans or counts connections does not. */
  readonly sure: boolean;
  /** Whether it was silent to one more instead of closing it: it may only have been slow, and is no ban. */
  readonly silent: boolean;
  /** Refusals in a row at the limit; the next try waits longer for each. */
  readonly refusals: number;
  /** Sessions that it held when it took another connection, the highest last; times on the monotonic clock. */
  readonly accepted: readonly { readonly sessions: number; readonly at: number }[];
}

/** Nothing is known yet. */
export const NO_LIMIT: LearnedLimit = { sessions: null, first: null, step: 1, sure: false, silent: false, refusals: 0, accepted: [] };

/** How long a connection that was taken says what the server can hold. */
const ACCEPTED_MS = 5 * 60_000;
/** A server that refuses so many sessions below its learned limit has another reason. */
const CONTRADICTED_BELOW = 2;

/**
 * The server took another connection while it held `sessions`.
 *
 * @param now on the monotonic clock
 */
export function accepted(limit: LearnedLimit, sessions: number, now: number): LearnedLimit {
  const kept = recent(limit, now).filter((each) => each.sessions > sessions);
  const next = { ...limit, accepted: [{ sessions, at: now }, ...kept] };
  if (limit.sessions === null) return next;
  if (sessions < limit.sessions) return { ...next, sure: true };
  return { ...next, sessions: sessions + limit.step, first: sessions + limit.step, step: 2 * limit.step, refusals: 0 };
}

/**
 * Whether a refusal at `sessions` may mean that the server is full: it holds some, and has not taken a connection at so many lately.
 *
 * @param now on the monotonic clock
 */
export function mayBeFull(limit: LearnedLimit, sessions: number, now: number): boolean {
  if (sessions < 1) return false;
  if (limit.first !== null && sessions <= limit.first - CONTRADICTED_BELOW) return false;
  return !recent(limit, now).some((each) => each.sessions >= sessions);
}

/** The server refused a session while it held `sessions`, and may be full. @param silent instead of closing */
export function refusedAt(limit: LearnedLimit, sessions: number, silent: boolean): LearnedLimit {
  const lower = limit.sessions === null || sessions < limit.sessions;
  return {
    ...limit,
    sessions: lower ? sessions : limit.sessions,
    first: limit.first ?? sessions,
    step: 1,
    silent,
    refusals: lower ? 1 : limit.refusals + 1,
  };
}

function recent(limit: LearnedLimit, now: number): LearnedLimit['accepted'] {
  return limit.accepted.filter((each) => now - each.at <= ACCEPTED_MS);
}
