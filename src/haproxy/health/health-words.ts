import type { HealthCause, HealthState } from './health-state.ts';

/** What is said about a server that is not simply up. */
export interface HealthFacts {
  readonly state: HealthState;
  readonly cause: HealthCause | null;
  /** Sessions that it holds. */
  readonly sessions: number;
  /** Sessions above which it takes nobody, as it has shown; null while it has not. */
  readonly learnedLimit: number | null;
  /** Whether that is its limit for sure. */
  readonly limitIsSure: boolean;
}

const BANNED =
  "Does it ban or limit this proxy's address (failban, connections per minute)? Allow the address there, or set health.mode to Passive.";

/**
 * What is wrong with a server and what to do, in words for an administrator; empty while it is simply up.
 */
export function healthWords({ cause, learnedLimit, limitIsSure, sessions, state }: HealthFacts): string {
  switch (state) {
    case 'up':
      return '';
    case 'checking':
      return 'Clients had trouble with it, and it has not greeted yet when asked: nobody new is sent to it while another server can take them.';
    case 'joining':
      return `It has not sent its greeting yet${cause === null ? '' : ` (${CAUSES[cause]})`}.`;
    case 'full':
      return cause === 'held'
        ? `It is full: workers of before a reload hold its places, with ${count(sessions)}.`
        : fullWords(learnedLimit, sessions, limitIsSure);
    case 'refusing':
      return `It refuses this proxy: it ${CAUSES[cause ?? 'closed']}. Its sessions (${sessions}) go on. ${BANNED}`;
    case 'unreachable':
      return `Connections to it are not answered. Its sessions (${sessions}) are kept. Check the machine, and the network between it and the proxy.`;
    case 'hung':
      return 'It hangs: it accepts connections and answers nobody, its own sessions neither. Restart it.';
    case 'down':
      return cause === null ? 'It was down before this program began, and has not greeted since.' : DOWN[cause];
  }
}

function fullWords(learned: number | null, sessions: number, sure: boolean): string {
  if (learned === null || sessions < learned) return `It holds ${count(sessions)}, as many as it may. They go on.`;
  const takes = `It takes no more than ${count(learned)} of this proxy; those go on.`;
  return sure ? `It is full. ${takes}` : `${takes} It is full, or refuses more connections of this address. ${BANNED}`;
}

function count(sessions: number): string {
  return sessions === 1 ? '1 session' : `${sessions} sessions`;
}

const CAUSES: Readonly<Record<HealthCause, string>> = {
  refused: 'nothing listens on its port',
  closed: 'closes new connections at once',
  silent: 'accepts connections and sends nothing',
  unreachable: 'connections are not answered',
  rejected: 'rejects new connections',
  ignored: 'ignores new connections',
  unserved: 'clients got no answer',
  held: 'its places are held',
};

const REFUSED = 'Nothing listens on its port. Is the server running, and is the port right?';
const SILENT = 'It accepts connections and sends no greeting. Is it a CCcam server, and is the port right?';
const DOWN: Readonly<Record<HealthCause, string>> = {
  refused: REFUSED,
  closed: SILENT,
  silent: SILENT,
  unreachable: SILENT,
  rejected: REFUSED,
  ignored: SILENT,
  unserved: 'Clients could not use it several times in a row. It rests, and is tried again by itself.',
  held: SILENT,
};
