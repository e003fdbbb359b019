import type { ProxyEvent, ProxyEventReason } from '../event.ts';
import type { WantedServer } from '../model.ts';
import type { HealthState } from './health-state.ts';
import { healthWords } from './health-words.ts';
import type { Ruling } from './watched-server.ts';

const REASONS: Readonly<Record<Exclude<HealthState, 'checking'>, ProxyEventReason>> = {
  joining: 'GreetingMissing',
  up: 'ServerUp',
  full: 'ServerFull',
  refusing: 'ServerRefusesProxy',
  unreachable: 'ServerUnreachable',
  hung: 'ServerHung',
  down: 'ServerDown',
};

/** What there is to tell when a server's ruling changes; null where it is nothing. */
export function healthEvent({ name, passive }: WantedServer, before: Ruling, after: Ruling, sessions: number): ProxyEvent | null {
  if (before.state === after.state) {
    const firstFailure = after.state === 'joining' && before.cause === null && after.cause !== null;
    if (!firstFailure) return null;
  }
  // That a joining server is up is reported when HAProxy sends it clients; one session more or less of a full one is not reported.
  if (after.state === 'up' && ['joining', 'checking', 'full'].includes(before.state)) return null;
  if (after.state === 'checking') return null; // in a moment it is known
  const { cause, learnedLimit, limitIsSure, state } = after;
  const message =
    state === 'up'
      ? passive
        ? 'Clients are sent to it again.'
        : 'It sends its greeting again and takes new sessions.'
      : healthWords({ state, cause, sessions, learnedLimit, limitIsSure });
  return { severity: state === 'up' ? 'Normal' : 'Warning', reason: REASONS[state], server: name, message };
}

/** Told when the way to the servers broke rather than they. @param servers their names */
export function serversLost(servers: readonly string[]): ProxyEvent {
  const message =
    `${servers.length} servers stopped answering within a minute, with more than half of the capacity (${servers.slice(0, 5).join(', ')}). ` +
    'Their sessions are kept. Check the network between the proxy and the servers.';
  return { severity: 'Warning', reason: 'ServersLost', server: null, message };
}

/** Told when enough of them answer again. */
export const SERVERS_RECOVERED: ProxyEvent = {
  severity: 'Normal',
  reason: 'ServersRecovered',
  server: null,
  message: 'More than half of the capacity answers again.',
};

/** Told when this machine cannot open connections. @param code of the system error */
export function localErrorEvent(code: string): ProxyEvent {
  const message = `This machine cannot open connections to servers (${code}): ${LOCAL_HINTS[code] ?? 'check its network settings'}. Servers are not judged by that.`;
  return { severity: 'Warning', reason: 'LocalErrors', server: null, message };
}

/** Told when it can again. */
export const LOCAL_ERROR_RESOLVED: ProxyEvent = {
  severity: 'Normal',
  reason: 'LocalErrorsResolved',
  server: null,
  message: 'This machine can open connections to servers again.',
};

const LOCAL_HINTS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'its local ports are used up; widen net.ipv4.ip_local_port_range, or find who opens so many connections',
  EMFILE: 'the limit of open files is reached; raise it (LimitNOFILE=, ulimit -n)',
  ENFILE: "the machine's limit of open files is reached; raise fs.file-max",
  ENOBUFS: 'it is out of memory for sockets',
  ENOMEM: 'it is out of memory',
  EACCES: 'a rule of this machine forbids it (firewall, SELinux, a prohibited route)',
  EPERM: 'a firewall rule of this machine forbids it',
  ENETUNREACH: 'it has no route to them; check its network interface and its routes',
};
