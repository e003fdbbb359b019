import type { HealthCause, HealthState } from './health-state.ts';

/** What is said about a server that is not simply up. */
export interface HealthFacts {
  readonly state: HealthState;
  readonly cause: HealthCause | null;
  /** Sessions that it holds. */
  readonly sessions: number;
  /** Sessions above which it has refused more; null while it has not. */
  readonly learnedLimit: number | null;
  /** Whether that is its limit for sure. */
  readonly limitIsSure: boolean;
}

const BANNED =
  "Check whether it bans or limits this proxy's address (failban, connections per minute): allow the address there, or set health.mode to Passive.";

/**
 * What is wrong with a server and what to do, in words for an administrator; empty while it is simply up.
 */
export function healthWords({ cause, learnedLimit, limitIsSure, sessions, state }: HealthFacts): string {
  switch (state) {
    case 'up':
      return '';
    case 'checking':
      return 'Clients failed on it, and it has not answered a probe yet: it gets no new sessions while another server can take them.';
    case 'joining':
      return `It has not sent its greeting yet${cause === null ? '' : ` (${CAUSES[cause]})`}.`;
    case 'full':
      return cause === 'held'
        ? `It is full: workers from before a reload hold ${count(sessions)}.`
        : fullWords(learnedLimit, sessions, limitIsSure);
    case 'refusing':
      return `It refuses this proxy: it ${CAUSES[cause ?? 'closed']}. Its sessions (${sessions}) continue. ${BANNED}`;
    case 'unreachable':
      return `Connections to it are not answered. Its sessions (${sessions}) are kept. Check the machine, and the network between it and the proxy.`;
    case 'hung':
      return 'It hangs: it accepts connections, but answers neither them nor its own sessions. Restart it.';
    case 'down':
      return cause === null ? 'It was down before this program started, and has sent no greeting since.' : DOWN[cause];
  }
}

function fullWords(learned: number | null, sessions: number, sure: boolean): string {
  if (learned === null || sessions < learned) return `It holds ${count(sessions)}, as many as it may. They continue.`;
  const takes = `It takes at most ${count(learned)} from this proxy; they continue.`;
  return sure ? `It is full. ${takes}` : `${takes} It is full, or refuses more connections from this address. ${BANNED}`;
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
  unserved: 'gives clients no answer',
  held: 'its places are held',
};

const REFUSED = 'Nothing listens on its port. Check that the server is running, and the port.';
const SILENT = 'It accepts connections but sends no greeting. Check that it is a CCcam server, and the port.';
const DOWN: Readonly<Record<HealthCause, string>> = {
  refused: REFUSED,
  closed: SILENT,
  silent: SILENT,
  unreachable: SILENT,
  rejected: REFUSED,
  ignored: SILENT,
  unserved: 'Clients failed on it several times in a row. It is tried again by itself.',
  held: SILENT,
};
