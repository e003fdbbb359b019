/** Every reason of an event about a proxy, with what it means. `docs/reference/events.md` lists the same; a test compares them. */
export const PROXY_EVENT_REASONS = {
  GreetingReceived: 'a server has sent its greeting and takes sessions now',
  GreetingMissing: 'a server that should serve sends no greeting; it stays out of rotation and is probed again',
  ServerUp: 'a server sends its greeting again and takes new sessions',
  ServerFull: 'a server is full; its sessions continue',
  ServerRefusesProxy: 'a server closes or ignores new connections of this proxy; its sessions continue',
  ServerUnreachable: 'connections to a server are not answered; its sessions are kept',
  ServerHung: 'a server answers neither new connections nor its own sessions',
  ServerDown: "nothing listens on a server's port, or it sends no greeting",
  ServersLost: 'more than half of the capacity stopped answering at once; sessions are kept',
  ServersRecovered: 'more than half of the capacity answers again',
  LocalErrors: 'this machine cannot open connections; servers are not judged by that',
  LocalErrorsResolved: 'this machine can open connections again',
  ProbeFailed: 'a probe could not be judged; the server is probed again',
  Repaired: 'HAProxy was changed by something else, and changed back',
  Reloaded: 'HAProxy was reloaded; existing sessions stay with the old worker',
  ReloadPending: 'a reload waits until the last one is 15 seconds ago',
  ReloadFailed: 'a reload failed; HAProxy keeps the old configuration',
  CommandRefused: 'HAProxy refused a runtime command',
  SessionsClosed: 'sessions of a hung server were closed, so that their clients reconnect to another one',
  ClosingSessions: 'a drain has passed its deadline; the remaining sessions are being closed',
  HaproxyStarted: 'HAProxy was started',
  HaproxyAdopted: 'HAProxy was already running and keeps all its sessions',
  HaproxyDied: 'HAProxy has exited and is started again',
  SocketsDeleted: 'control sockets of HAProxy were deleted; they are made again, and sessions continue',
  TableUnread: 'the table of clients could not be read in time; a client may come back to a drained server meanwhile',
  Unreachable: 'HAProxy does not answer on its sockets',
  Reachable: 'HAProxy answers again',
  FileNotWritten: 'the configuration cannot be written; HAProxy keeps running',
  FileWritten: 'the configuration could be written again',
} as const;

/** The reason of an event about a proxy. */
export type ProxyEventReason = keyof typeof PROXY_EVENT_REASONS;

/** Something that happened, in words for people. */
export interface ProxyEvent {
  readonly severity: 'Normal' | 'Warning';
  readonly reason: ProxyEventReason;
  /** Name of the server it is about, or null. */
  readonly server: string | null;
  readonly message: string;
}

/** Takes an event. */
export type Report = (event: ProxyEvent) => void;
