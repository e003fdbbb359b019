import { hasKey, KEY_HEADER } from './agent-key.ts';

/** What a kubelet asks of an agent before it ends a container: to say when it may. */
export interface DrainCall {
  /** How long sessions may live on, in milliseconds. */
  readonly deadlineMs: number;
  /** Whether those that are left then are closed, a few at a time. */
  readonly close: boolean;
  /** Whether it is the hook of a container beside the server, which may also be restarted alone. */
  readonly helper?: boolean;
}

/** Sessions that are closed at the deadline go a few at a time, for so long; a pod's grace period is a minute longer than its drain. */
export const CLOSING_MS = 45_000;

/** Path of the call; a GET, because a preStop hook knows no other verb. */
export const DRAIN_PATH = '/drain';
const LONGEST_MS = 7 * 24 * 3_600_000;

/** The preStop hook that asks the agent on that port. */
export function drainHook(call: DrainCall, port: number, key: string): object {
  const path = `${DRAIN_PATH}?deadlineMs=${call.deadlineMs}&close=${call.close}${call.helper === true ? '&helper=true' : ''}`;
  return { httpGet: { path, port, scheme: 'HTTP', httpHeaders: [{ name: KEY_HEADER, value: key }] } };
}

/** What a call asks for; `forbidden` without the key. */
export type DrainReading = DrainCall | 'forbidden' | 'unreadable';

/** Reads a call. @param url path and query, as they came */
export function readDrainCall(
  url: string | undefined,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  key: string,
): DrainReading {
  if (!hasKey(headers, key)) return 'forbidden';
  const query = new URL(url ?? '/', 'http://localhost').searchParams;
  const text = query.get('deadlineMs') ?? '';
  const deadlineMs = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || deadlineMs > LONGEST_MS) return 'unreadable';
  return { deadlineMs, close: query.get('close') !== 'false', ...(query.get('helper') === 'true' ? { helper: true } : {}) };
}
