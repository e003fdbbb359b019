/** What was read back from a running HAProxy: plain data, made by `readback.ts`. */
export interface ActualProxy {
  readonly masterPid: number;
  /** The worker that takes new sessions. */
  readonly current: ActualWorker;
  /** Workers from before a reload, which live until their last session ends. */
  readonly old: readonly OldWorker[];
}

/** The worker that takes new sessions, as it was read back. */
export interface ActualWorker {
  readonly pid: number;
  /** Hash of the structure that it runs, or null when its configuration is not ours. */
  readonly structureHash: string | null;
  /** Where it listens, such as `*:12000`, the pool's own first; empty when its configuration is not ours. */
  readonly binds: readonly string[];
  /** Whether it is stopping and takes no new sessions. */
  readonly stopping: boolean;
  readonly uptimeSeconds: number;
  readonly servers: readonly ActualServer[];
  readonly process: ActualProcess;
}

/** What concerns a worker as a whole. */
export interface ActualProcess {
  /** Whether clients are let in; `gone` cannot be undone in this worker. */
  readonly frontend: 'open' | 'paused' | 'stopped';
  /** Connections that the frontend and the process accept. */
  readonly frontendLimit: number;
  readonly globalLimit: number;
  /** Whether connections per second are limited. */
  readonly rateLimited: boolean;
  /** Tables by name, with the number of their entries. */
  readonly tables: ReadonlyMap<string, number>;
  /** Sessions of earlier workers, as this one was told. */
  readonly heldByOld: number;
  /** Clients that were refused since the worker began: by the limits of their address, and because the proxy was full. */
  readonly refused: { readonly client: number; readonly full: number };
}

/** A worker from before a reload, which keeps its sessions until they end. */
export interface OldWorker {
  readonly pid: number;
  /** Live sessions by server name, or null while the worker does not answer: unknown is never none. */
  readonly sessions: ReadonlyMap<string, number> | null;
}

/** A server line, as it was read back. */
export interface ActualServer {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Weight as set at run time, 0..256. */
  readonly weight: number;
  /** 0 means no limit. */
  readonly maxConnections: number;
  readonly backup: boolean;
  readonly admin: 'ready' | 'drain' | 'maint';
  readonly operational: 'up' | 'starting' | 'stopping' | 'down';
  /** HAProxy's own checks: switched on, switched off, or not there at all. */
  readonly checks: 'on' | 'off' | 'none';
  /** Whether HAProxy's checks go to the server's own address and port. */
  readonly checksOwnAddress: boolean;
  /** Outcome of HAProxy's last check, such as `L7OK` or `L7TOUT`; empty before the first. */
  readonly checkStatus: string;
  readonly sessions: number;
  /** Clients that wait for this very server, because they are remembered and it is full. */
  readonly queued: number;
  /** Sessions since the worker began. */
  readonly totalSessions: number;
  /** Sessions refused by the greeting guard since the worker began. */
  readonly withoutGreeting: number;
  /** Everything that went wrong between clients and the server since the worker began: no greeting, refused, reset, sent elsewhere. */
  readonly clientErrors: number;
  /** Clients remembered by the stick table; read only for servers that are drained, else 0. */
  readonly remembered: number;
}

/** Whether every worker has told its sessions. */
export function isCounted(actual: ActualProxy): boolean {
  return actual.old.every((worker) => worker.sessions !== null);
}

/** Sessions of a server over all workers that have told them: what a drain waits for. */
export function sessionsOf(actual: ActualProxy, name: string): number {
  const current = actual.current.servers.find((server) => server.name === name)?.sessions ?? 0;
  return actual.old.reduce((sum, worker) => sum + (worker.sessions?.get(name) ?? 0), current);
}
