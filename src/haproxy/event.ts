/** Every reason of an event about a proxy, with what it means. `docs/reference/events.md` lists the same; a test compares them. */
export const PROXY_EVENT_REASONS = {
  GreetingReceived: 'a server was heard to greet and takes sessions now',
  GreetingMissing: 'a server that should serve does not greet; it stays out of rotation and is asked again',
  ServerUp: 'a server greets again and takes new sessions',
  ServerFull: 'a server takes no more sessions than it holds; those go on',
  ServerRefusesProxy: 'a server closes or ignores new connections of this proxy; its sessions go on',
  ServerUnreachable: 'connections to a server are not answered; its sessions are kept',
  ServerHung: 'a server answers nobody any more, its own sessions neither',
  ServerDown: "nothing listens on a server's port, or it sends no greeting",
  ServersLost: 'servers with more than half of the capacity stopped answering together: nobody is cut off for it',
  ServersRecovered: 'less than half of the capacity is out of reach again',
  LocalErrors: 'this machine could not open connections; nothing is concluded about the servers',
  LocalErrorsResolved: 'this machine can open connections again',
  ProbeFailed: 'a probe could not be judged; the server is probed again',
  Repaired: 'something was changed behind our back and was put right',
  Reloaded: 'HAProxy runs a new structure; sessions of before stay with the old worker',
  ReloadPending: 'a new structure waits until the last reload is 15 seconds ago',
  ReloadFailed: 'HAProxy kept the old structure',
  CommandRefused: 'HAProxy refused a runtime command',
  SessionsClosed: 'sessions of a server that hangs were closed, so that their clients are served elsewhere',
  ClosingSessions: 'a drain has passed its deadline; the sessions that are left are being closed',
  HaproxyStarted: 'HAProxy was started',
  HaproxyAdopted: 'HAProxy was running already and goes on with all its sessions',
  HaproxyDied: 'HAProxy ended by itself and is started again',
  Unreachable: 'HAProxy does not answer on its sockets',
  Reachable: 'HAProxy answers again',
  FileNotWritten: 'the configuration could not be written; what runs goes on running',
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
