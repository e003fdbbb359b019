/** Every reason of an event about a proxy, with what it means. `docs/reference/events.md` lists the same; a test compares them. */
export const PROXY_EVENT_REASONS = {
  Admitted: 'a server was heard to greet and takes sessions now',
  NotAdmitted: 'a server that should serve does not greet; it stays out of rotation and is asked again',
  NotServing: 'clients have trouble with a server and it does not serve us either: it is out of rotation',
  Repaired: 'something was changed behind our back and was put right',
  Reloaded: 'HAProxy runs a new structure; sessions of before stay with the old worker',
  ReloadPending: 'a new structure waits until the last reload is 15 seconds ago',
  ReloadFailed: 'HAProxy kept the old structure',
  CommandRefused: 'HAProxy refused a runtime command',
  ClosingSessions: 'a drain has passed its deadline; the sessions that are left are being closed',
  HaproxyStarted: 'HAProxy was started',
  HaproxyAdopted: 'HAProxy was running already and goes on with all its sessions',
  HaproxyDied: 'HAProxy ended by itself and is started again',
  Unreachable: 'HAProxy does not answer on its sockets',
  Reachable: 'HAProxy answers again',
  FileNotWritten: 'the configuration could not be written; what runs goes on running',
  FileWritten: 'the configuration could be written again',
} as const;

export type ProxyEventReason = keyof typeof PROXY_EVENT_REASONS;

/** Something that happened, in words for people. */
export interface ProxyEvent {
  readonly severity: 'Normal' | 'Warning';
  readonly reason: ProxyEventReason;
  /** Name of the server it is about, or null. */
  readonly server: string | null;
  readonly message: string;
}

export type Report = (event: ProxyEvent) => void;
