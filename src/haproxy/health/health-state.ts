import { type Activity, KEEPALIVE_MS, standsStill } from './activity.ts';
import { type FailureKind, isFull, type ServerHealth, TELLING_SILENCES } from './server-health.ts';

/**
 * Where a server stands between a proxy and its clients, in one word.
 *
 * - `joining`: it has not greeted yet since it should serve.
 * - `up`: it greets and takes new sessions.
 * - `checking`: clients had trouble with it, and it has not greeted yet since it was asked.
 * - `full`: it holds as many sessions as it takes; those go on.
 * - `refusing`: it closes, refuses or ignores new connections of this proxy while it serves others; its sessions go on.
 * - `unreachable`: connections to it are not answered at all.
 * - `hung`: it accepts connections, is silent to all of them, and its own sessions stand still.
 * - `down`: nothing listens, or it sends no greeting.
 */
export const HEALTH_STATES = ['joining', 'up', 'checking', 'full', 'refusing', 'unreachable', 'hung', 'down'] as const;
/** How a server stands with one proxy, in one word. */
export type HealthState = (typeof HEALTH_STATES)[number];

/** Why a server is not `up`: `FailureKind`, or `held` when sessions of earlier workers take its last places. */
export const HEALTH_CAUSES = [
  'refused',
  'closed',
  'silent',
  'unreachable',
  'rejected',
  'ignored',
  'unserved',
  'held',
] as const satisfies readonly (FailureKind | 'held')[];
/** Why a server is not up. */
export type HealthCause = (typeof HEALTH_CAUSES)[number];

/** The one word. @param sessions that it holds through this proxy @param hung as `isHung` says */
export function healthState(health: ServerHealth, sessions: number, hung: boolean): HealthState {
  if (hung) return 'hung';
  if (health.verdict === 'joining') return 'joining';
  if (health.verdict === 'up') return isFull(health, sessions) ? 'full' : 'up';
  switch (health.cause) {
    case 'closed':
    case 'rejected':
    case 'ignored':
      return 'refusing';
    case 'unreachable':
      return 'unreachable';
    default:
      return 'down';
  }
}

/**
 * Whether a server is hung: silent to connections of ours that were established, twice, and since then on the sessions that it holds for so
 * long that answers were to be expected. One alone proves nothing: a full server is silent to the next client, and at night sessions are.
 *
 * @param activity null while its sessions were not looked at
 */
export function isHung(health: ServerHealth, sessions: number, activity: Activity | null): boolean {
  if (health.silences < TELLING_SILENCES || activity === null) return false;
  // That a full server is silent to one more says nothing at all, so its sessions must say it alone.
  return standsStill(activity, isFull(health, sessions) ? KEEPALIVE_MS : 0, health.silentSince);
}
