/**
 * What one HAProxy should be: plain data, made by `pool/proxy-model.ts`, rendered by `render.ts`, compared with what runs by
 * `diff.ts`. The structure is everything but the server lines: only a change of it needs a reload.
 */
export interface ProxyModel {
  readonly structure: Structure;
  readonly servers: readonly WantedServer[];
  /** Sessions closed per second once a drain's deadline has passed, ≥ 1. */
  readonly closePerSecond: number;
  /** Whether new clients are accepted; a terminating proxy accepts none. */
  readonly frontend: 'open' | 'paused';
}

/** How a new session finds its server, in HAProxy's words. */
export type Algorithm = 'leastconn' | 'roundrobin' | 'source' | 'random';

/** An address and a port to listen on. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Everything but the server lines. */
export interface Structure {
  readonly bind: Endpoint;
  /** Where clients may still connect, too: the previous port, until the new one is known to work. */
  readonly alsoBind: readonly Endpoint[];
  /** Networks whose connections begin with a PROXY protocol header, as `10.0.0.0/8`; headers from elsewhere are not read. */
  readonly proxyProtocolFrom: readonly string[];
  /** Sessions that the process may hold. Connections above that are refused at once. */
  readonly maxConnections: number;
  readonly algorithm: Algorithm;
  /** How long a client that is gone is remembered, or null for no stickiness. */
  readonly stickinessMs: number | null;
  readonly check: CheckModel;
  readonly connectMs: number;
  readonly idleMs: number;
  readonly perClient: { readonly connections: number | null; readonly newPer10s: number | null };
  readonly sockets: { readonly runtime: string; readonly peers: string };
  /** Unix user and group that the workers change to, or null to stay who they are. */
  readonly user: { readonly user: string; readonly group: string } | null;
}

/** How servers are checked. */
export interface CheckModel {
  readonly probe: 'greeting' | 'connect';
  readonly intervalMs: number;
  readonly fastIntervalMs: number;
  readonly timeoutMs: number;
  readonly fall: number;
  readonly rise: number;
  /** Whether a server that hangs has its sessions closed. */
  readonly closeHungSessions: boolean;
}

/** One server line. Its name belongs to one address and port for ever, so sessions of two servers are never mixed. */
export interface WantedServer {
  /** Small, the same in every proxy, and kept over restarts: consistent hashing and stick tables go by it. */
  readonly id: number;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** 0..256. */
  readonly weight: number;
  /** Sessions that this proxy may hold on the server, ≥ 1. */
  readonly maxConnections: number;
  readonly backup: boolean;
  /** Whether it is not to be probed: what clients meet decides. */
  readonly passive: boolean;
  readonly state: 'ready' | 'drain';
  /** Milliseconds since the epoch after which the sessions of a draining server are closed, or null to let them be. */
  readonly deadlineAt: number | null;
}

/** Names of the sections that the renderer writes and the commands speak of. */
export const FRONTEND = 'clients';
/** Name of the backend section, in the file and in commands. */
export const BACKEND = 'servers';
/** Section of a table with one entry: sessions that earlier workers hold, and clients that were refused. */
export const COUNTS = 'counts';
/** Connections that are accepted beyond the limit, to be refused: at the limit itself HAProxy would let them hang. */
export const REFUSAL_ROOM = 50;

/** Bytes that a CCcam server sends as soon as a client connects. */
export const GREETING_BYTES = 16;

/**
 * How often clients with a session are remembered again, in milliseconds. HAProxy counts from when a client connected; the pool's owner
 * counts from when it is gone.
 */
export function stickyRefreshMs(stickinessMs: number): number {
  return Math.min(Math.max(Math.floor(stickinessMs / 4), 1_000), 300_000);
}
