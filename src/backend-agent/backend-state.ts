import type { DrainCall } from '../link/drain-call.ts';
import { NO_SOCKETS, type SocketCounts } from './socket-table.ts';

/** A drain as the kubelet has asked for it. Times are of the clock that never jumps, in milliseconds. */
export interface BackendDrain {
  readonly since: number;
  readonly deadline: number;
  readonly close: boolean;
  /** Whether the call was answered or given up: from then on the server's container ends. */
  readonly over: boolean;
  /** Whether the server was seen not to listen since. */
  readonly wentDown: boolean;
}

/** What is known of the server. */
export interface BackendState {
  readonly sockets: SocketCounts;
  readonly drain: BackendDrain | null;
}

/** As it is before the first look. */
export const UNSEEN: BackendState = { sockets: NO_SOCKETS, drain: null };

/** The kubelet asks. Asked again, as for another container, the first clock stands. */
export function drainBegins(state: BackendState, call: DrainCall, now: number): BackendState {
  const since = state.drain?.since ?? now;
  const deadline = Math.min(state.drain?.deadline ?? Number.POSITIVE_INFINITY, now + call.deadlineMs);
  return { ...state, drain: { since, deadline, close: call.close, over: false, wentDown: false } };
}

/** The kubelet was answered, or has given up. */
export function drainOver(state: BackendState): BackendState {
  return state.drain === null ? state : { ...state, drain: { ...state.drain, over: true } };
}

/**
 * A fresh look at the sockets. A container that is only restarted, because its liveness probe has failed, is drained before like one that
 * ends for good; when another server listens afterwards, it serves.
 */
export function seen(state: BackendState, sockets: SocketCounts): BackendState {
  const { drain } = state;
  if (drain === null) return { sockets, drain };
  const listens = sockets.listening > 0;
  if (drain.over && drain.wentDown && listens) return { sockets, drain: null };
  return { sockets, drain: { ...drain, wentDown: drain.wentDown || (drain.over && !listens) } };
}

/** How long proxies that say nothing are waited for; each that answers does so within milliseconds. */
export const UNHEARD_MS = 5_000;
/** Sessions that are closed at the deadline go a few at a time; a pod's grace period is a minute longer than its drain. */
export const CLOSING_MS = 45_000;

/**
 * Whether the kubelet may go on: nobody is left and nobody new can come, or the time is over.
 *
 * @param routing whether a proxy still says that it would send new sessions
 */
export function mayEnd(state: BackendState, routing: boolean, now: number): boolean {
  const { drain, sockets } = state;
  if (drain === null) return false; // nobody has asked, and whoever ends it without a reason cuts everybody off
  if (now >= drain.deadline + (drain.close ? CLOSING_MS : 0)) return true;
  if (routing && now < drain.since + UNHEARD_MS) return false;
  return sockets.established === 0;
}
