/**
 * What the agent beside a server and the agent beside a proxy tell each other, over one HTTP request that both keep open: lines of JSON in
 * either direction. So a pod that ends says so itself, and its proxies drain it while nobody else is there to tell them.
 */

/** What a server's agent tells. */
export interface BackendLine {
  readonly draining: boolean;
  /**
   * Milliseconds until the sessions that are left are to be closed; null where they are not, or while it serves. A span and not a time:
   * clocks of two nodes may differ.
   */
  readonly closeInMs: number | null;
  /** Established connections to the server, those of checks among them. */
  readonly sessions: number;
}

/** What a proxy's agent tells. */
export interface ProxyLine {
  /** Name of its pod. */
  readonly proxy: string;
  /** Whether its HAProxy would send new sessions to the server. */
  readonly routes: boolean;
}

/** Path of the request; a POST, so that there is a way in both directions. */
export const LINK_PATH = '/v1/link';
/** Each side says something at least so often, so that a dead connection is noticed. */
export const LINK_ALIVE_MS = 5_000;
/** Silence after which a connection counts as dead. */
export const LINK_SILENT_MS = 12_000;
/** Longest line, in bytes. */
export const LINK_LINE_BYTES = 4_096;

/** Reads a line of a server's agent. @throws SyntaxError or TypeError for anything else */
export function readBackendLine(text: string): BackendLine {
  const { draining, closeInMs, sessions } = JSON.parse(text) as Partial<Record<keyof BackendLine, unknown>>;
  if (typeof draining !== 'boolean' || !isCount(sessions) || !(closeInMs === null || isCount(closeInMs)))
    throw new TypeError("not a line of a server's agent");
  return { draining, closeInMs, sessions };
}

/** Reads a line of a proxy's agent. @throws SyntaxError or TypeError for anything else */
export function readProxyLine(text: string): ProxyLine {
  const { proxy, routes } = JSON.parse(text) as Partial<Record<keyof ProxyLine, unknown>>;
  if (typeof proxy !== 'string' || proxy.length > 253 || typeof routes !== 'boolean') throw new TypeError("not a line of a proxy's agent");
  return { proxy, routes };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
