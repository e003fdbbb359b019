import type { StreamLimits } from '../runtime/stream-limits.ts';

/**
 * What the agent beside a server and the agent beside a proxy tell each other: lines of JSON in both directions of one HTTP request that
 * stays open. A terminating pod says so itself, so its proxies drain it even without the operator and the API server.
 */

/** What a backend-agent sends. */
export interface BackendLine {
  readonly draining: boolean;
  /**
   * Milliseconds from now until the remaining sessions are to be closed; null where they are not, or while it serves. A length and not a
   * time: the clocks of two nodes may differ.
   */
  readonly deadlineInMs: number | null;
}

/** What a proxy-agent sends. */
export interface ProxyLine {
  /** Name of its pod. */
  readonly proxy: string;
  /** Whether its HAProxy would send new sessions to the server. */
  readonly routes: boolean;
}

/** Path of the request; a POST, so that both sides can send. */
export const LINK_PATH = '/v1/link';
/** Each side sends a line at least this often, so that a dead connection is noticed; in milliseconds. */
export const LINK_HEARTBEAT_MS = 5_000;

/** What either side may send: a line a second would be much, and each that changes something is acted on. */
export const LINK_LIMITS: StreamLimits = {
  lineBytes: 4_096,
  bytes: { perSecond: 16_384, burst: 65_536 },
  lines: { perSecond: 10, burst: 50 },
  silenceMs: 12_000,
};

/** Reads a line of a backend-agent. Unknown fields are ignored. @throws SyntaxError or TypeError for anything else */
export function readBackendLine(text: string): BackendLine {
  const { draining, deadlineInMs } = JSON.parse(text) as Partial<Record<keyof BackendLine, unknown>>;
  if (typeof draining !== 'boolean' || !(deadlineInMs === null || isCount(deadlineInMs)))
    throw new TypeError('expected draining and deadlineInMs');
  return { draining, deadlineInMs };
}

/** Reads a line of a proxy-agent. Unknown fields are ignored. @throws SyntaxError or TypeError for anything else */
export function readProxyLine(text: string): ProxyLine {
  const { proxy, routes } = JSON.parse(text) as Partial<Record<keyof ProxyLine, unknown>>;
  if (typeof proxy !== 'string' || proxy.length > 253 || typeof routes !== 'boolean') throw new TypeError('expected proxy and routes');
  return { proxy, routes };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
