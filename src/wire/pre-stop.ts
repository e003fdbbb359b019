import { hasKey, KEY_HEADER } from './agent-key.ts';
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
  httpGet: { path: string; port: number; scheme: string; httpHeaders: { name: string; value: string }[] };
}

/** The preStop hook that calls the agent on that port. */
export function preStopHook(call: PreStopCall, port: number, key: string): PreStopHook {
  const path = `${PRE_STOP_PATH}?deadlineMs=${call.deadlineMs}&close=${call.close}${call.helper === true ? '&helper=true' : ''}`;
  return { httpGet: { path, port, scheme: 'HTTP', httpHeaders: [{ name: KEY_HEADER, value: key }] } };
}

/** What a call asks for; `forbidden` without the key. */
export type PreStopReading = PreStopCall | 'forbidden' | 'unreadable';

/** Reads a call. @param url path and query, as they came */
export function readPreStopCall(
  url: string | undefined,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  key: string,
): PreStopReading {
  if (!hasKey(headers, key)) return 'forbidden';
  const query = new URL(url ?? '/', 'http://localhost').searchParams;
  const text = query.get('deadlineMs') ?? '';
  const deadlineMs = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || deadlineMs > LONGEST_DRAIN_MS) return 'unreadable';
  return { deadlineMs, close: query.get('close') !== 'false', ...(query.get('helper') === 'true' ? { helper: true } : {}) };
}
