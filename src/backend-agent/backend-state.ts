import { CLOSING_LIMIT_MS } from '../wire/drain-times.ts';
import { ENDING_MS, type PreStopCall } from '../wire/pre-stop.ts';
import { NO_SOCKETS, type SocketCounts } from './socket-table.ts';

/** A drain as the kubelet has asked for it. Times are of the monotonic clock, in milliseconds. */
export interface BackendDrain {
  readonly since: number;
  readonly deadlineAt: number;
  readonly close: boolean;
  /** Calls that wait for an answer: one for each container that ends. */
  readonly calls: number;
  /** When the last call was answered or given up, from when on the containers end; null while one waits. */
  readonly overSince: number | null;
  /** Whether the server was seen not to listen since. */
  readonly wentDown: boolean;
  /** Since when no proxy would send anybody new; null while one would, or none has said anything. */
  readonly quietSince: number | null;
}

/** What is known of the server. */
export interface BackendState {
  readonly sockets: SocketCounts;
  /** When the look began that has found them. */
  readonly lookedAt: number;
  readonly drain: BackendDrain | null;
}

/** As it is before the first look. */
export const UNSEEN: BackendState = { sockets: NO_SOCKETS, lookedAt: Number.NEGATIVE_INFINITY, drain: null };

/** The kubelet asks. Asked again, for another container of the pod, the first clock stands. */
export function drainBegins(state: BackendState, call: PreStopCall, now: number): BackendState {
  const since = state.drain?.since ?? now;
  const deadlineAt = Math.min(state.drain?.deadlineAt ?? Number.POSITIVE_INFINITY, now + call.deadlineMs);
  return {
    ...state,
    drain: {
      since,
      deadlineAt,
      close: call.close,
      calls: (state.drain?.calls ?? 0) + 1,
      overSince: null,
      wentDown: false,
      quietSince: null,
    },
  };
}

/** The kubelet was answered, or has given up. */
export function drainOver(state: BackendState, now: number): BackendState {
  const { drain } = state;
  if (drain === null) return state;
  const calls = drain.calls - 1;
  return { ...state, drain: { ...drain, calls, overSince: calls > 0 ? null : now } };
}

/**
 * The call that began the drain was given up at once. Where the server continues, nothing ends.
 *
 * @param begun when that call came
 */
export function drainTakenBack(state: BackendState, begun: number, now: number): BackendState {
  const { drain, sockets } = state;
  const isAlone = drain?.since === begun && drain.calls === 1;
  return isAlone && sockets.listening > 0 ? { ...state, drain: null } : drainOver(state, now);
}

/** What the proxies report. @param routing whether one of them would still send new sessions, or none is connected */
export function withRouting(state: BackendState, routing: boolean, now: number): BackendState {
  const { drain } = state;
  if (drain === null) return state;
  return { ...state, drain: { ...drain, quietSince: routing ? null : (drain.quietSince ?? now) } };
}

/**
 * A fresh look at the sockets. A container that is only restarted, because its liveness probe has failed, is drained before like one that
 * ends for good; when another server listens afterwards, it serves. So does one that was not ended at all.
 *
 * @param lookedAt when the look began: what came later may not be in it
 */
export function withSockets(state: BackendState, sockets: SocketCounts, lookedAt: number): BackendState {
  const { drain } = state;
  if (drain === null) return { sockets, lookedAt, drain };
  const listens = sockets.listening > 0;
  const over = drain.overSince !== null;
  const lasts = drain.overSince !== null && lookedAt >= drain.overSince + ENDING_MS;
  if (listens && (lasts || (over && drain.wentDown))) return { sockets, lookedAt, drain: null };
  return { sockets, lookedAt, drain: { ...drain, wentDown: drain.wentDown || (over && !listens) } };
}

/** How long proxies that say nothing are waited for; each that answers does so within milliseconds. */
export const UNREPORTED_MS = 5_000;

/** A connection that a proxy has opened just before it stopped routing here has arrived by then. */
export const ARRIVING_MS = 300;

/**
 * Whether the kubelet may go on: no new session can come and a count since then was zero, or the time is over. What was seen before
 * does not count: a whole wave of clients may have come since.
 */
export function mayEnd({ drain, lookedAt, sockets }: BackendState, now: number): boolean {
  if (drain === null) return false; // nothing was asked: ending it now would cut every session off
  if (now >= drain.deadlineAt + (drain.close ? CLOSING_LIMIT_MS : 0)) return true;
  const quietSince = drain.quietSince ?? drain.since + UNREPORTED_MS;
  return lookedAt >= quietSince + ARRIVING_MS && sockets.established === 0;
}
