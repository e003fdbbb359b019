import type { CheckModel } from '../model.ts';
import { refusesProxy, type ServerHealth } from './server-health.ts';

/** Between refusals where clients have trouble: they come at once, and a server that is being restarted is back soon. */
const REFUSED_RETRY_MS = 100;
const FIRST_JOIN_MS = 250;
const FULL_FIRST_MS = 30_000;
const SILENT_FIRST_MS = 5_000;
/** Longest time between two tries of a server that refuses this proxy or is full: bans of ten minutes and more are lengthened by each try. */
const LONGEST_MS = 5 * 60_000;

/** When a server is probed next, in milliseconds after the last probe. */
export function nextProbeMs(health: ServerHealth, sessions: number, check: CheckModel): number {
  if (health.suspected) return REFUSED_RETRY_MS;
  if (health.localError !== null) return Math.max(check.fastIntervalMs, 1_000);
  if (health.verdict === 'up') return whileUpMs(health, sessions, check);
  if (health.good > 0) return check.fastIntervalMs;
  const tries = Math.max(health.bad - 1, 0);
  const rare = Math.max(check.intervalMs, LONGEST_MS);
  if (health.cause === 'unserved') return doubled(check.intervalMs, health.restraint - 1, rare);
  if (refusesProxy(health.cause)) return doubled(check.intervalMs, tries, rare);
  return doubled(health.verdict === 'joining' ? FIRST_JOIN_MS : check.fastIntervalMs, tries, check.intervalMs);
}

function whileUpMs(health: ServerHealth, sessions: number, check: CheckModel): number {
  if (health.bad > 0) return check.fastIntervalMs;
  const { refusals, sessions: limit, silent } = health.limit;
  const rare = Math.max(check.intervalMs, LONGEST_MS);
  // Every place is taken: a check would be refused, or take the last one.
  if (limit !== null && sessions >= limit) {
    if (refusals === 0) return check.fastIntervalMs;
    return doubled(silent ? SILENT_FIRST_MS : Math.max(FULL_FIRST_MS, check.intervalMs), refusals - 1, rare);
  }
  return doubled(check.intervalMs, health.restraint, rare);
}

function doubled(firstMs: number, times: number, capMs: number): number {
  return Math.min(capMs, firstMs * 2 ** Math.min(times, 20));
}
