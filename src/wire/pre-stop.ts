import { LONGEST_DRAIN_MS } from './drain-times.ts';

/** What a kubelet asks of an agent before it ends a container: to say when it may. */
export interface PreStopCall {
  /** How long sessions may live on, in milliseconds. */
  readonly deadlineMs: number;
  /** Whether those that are left then are closed, a few at a time. */
  readonly close: boolean;
  /** Whether it is the hook of a container beside the server, which may also be restarted alone. */
  readonly helper?: boolean;
}

/** Path of the call; a GET, because a preStop hook knows no other verb. */
export const PRE_STOP_PATH = '/drain';

/** A hook as a container's `lifecycle` holds it. */
export interface PreStopHook {
  httpGet: { path: string; port: number; scheme: string };
}

/** The preStop hook that calls the agent on that port. */
export function preStopHook(call: PreStopCall, port: number): PreStopHook {
  const path = `${PRE_STOP_PATH}?deadlineMs=${call.deadlineMs}&close=${call.close}${call.helper === true ? '&helper=true' : ''}`;
  return { httpGet: { path, port, scheme: 'HTTP' } };
}

/** Reads what a call asks for; null for what is no such call. @param url path and query, as they came */
export function readPreStopCall(url: string | undefined): PreStopCall | null {
  const query = new URL(url ?? '/', 'http://localhost').searchParams;
  const text = query.get('deadlineMs') ?? '';
  const deadlineMs = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || deadlineMs > LONGEST_DRAIN_MS) return null;
  return { deadlineMs, close: query.get('close') !== 'false', ...(query.get('helper') === 'true' ? { helper: true } : {}) };
}

/**
 * A call that is given up sooner than this, while what it was about goes on, was none: a kubelet waits for the answer. One that is restarted
 * asks again.
 */
export const HASTY_MS = 1_000;

/** A container ends within its grace period after its call; one that still serves after this does not end. */
export const ENDING_MS = 120_000;
