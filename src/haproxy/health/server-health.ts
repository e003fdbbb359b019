import type { ProbeOutcome } from '../greeting.ts';
import type { CheckModel } from '../model.ts';
import { accepted, type LearnedLimit, mayBeFull, NO_LIMIT, refusedAt } from './learned-limit.ts';

/**
 * Why a server takes no new sessions. The first four as in `ProbeOutcome`; `rejected` and `ignored`: its port refuses, or it is silent to,
 * new connections while its sessions go on; `unserved`: clients got nowhere with it, and it is not to be probed.
 */
export type FailureKind = 'refused' | 'closed' | 'silent' | 'unreachable' | 'rejected' | 'ignored' | 'unserved';

/** Whether a server that fails so serves others meanwhile: it must not be asked often, or a ban never ends. */
export function refusesProxy(cause: FailureKind | null): boolean {
  return cause === 'closed' || cause === 'rejected';
}

/** What this proxy thinks of a server that should serve. Times are on the monotonic clock. */
export interface ServerHealth {
  /** `joining` has not been heard yet since it should serve; `out` takes no new sessions. */
  readonly verdict: 'joining' | 'up' | 'out';
  /** Why it is not up, or why the last probe failed; null while nothing is wrong. */
  readonly cause: FailureKind | null;
  /** Since when the verdict stands. */
  readonly since: number;
  /** Probes in a row that were greeted, and that were not. */
  readonly good: number;
  readonly bad: number;
  /** Connections in a row that were established and stayed silent, and when the first of them began. */
  readonly silences: number;
  readonly silentSince: number;
  /** Whether clients have trouble with it, so that the next failure decides. */
  readonly suspected: boolean;
  /** How much rarer than usual it is checked: each step doubles the interval. Grows each time that it refused this proxy. */
  readonly restraint: number;
  readonly restrainedAt: number;
  /** System error that kept the last probe from being tried, or null. */
  readonly localError: string | null;
  readonly limit: LearnedLimit;
}

/** What a probe is judged with. */
export interface ProbeContext {
  readonly check: CheckModel;
  /** Sessions that the server holds through this proxy. */
  readonly sessions: number;
  /** Connections that the outcome stands for. */
  readonly connections: number;
  /** On the monotonic clock. */
  readonly now: number;
}

/** Refusals in a row that are believed where clients have trouble, too: one may be a hiccup, and they come at once. */
const REFUSALS = 3;
const MOST_RESTRAINT = 5;
const RESTRAINT_ENDS_MS = 60 * 60_000;

/** A server of which nothing is known but whether it serves already. */
export function newHealth(verdict: ServerHealth['verdict'], now: number): ServerHealth {
  return {
    verdict,
    cause: null,
    since: now,
    good: 0,
    bad: 0,
    silences: 0,
    silentSince: now,
    suspected: false,
    restraint: 0,
    restrainedAt: now,
    localError: null,
    limit: NO_LIMIT,
  };
}

/** Takes over what came of a probe. */
export function afterProbe(health: ServerHealth, outcome: ProbeOutcome, context: ProbeContext): ServerHealth {
  switch (outcome.kind) {
    case 'greeted':
      return afterGreeting(health, context);
    case 'local':
      return { ...health, suspected: false, localError: outcome.code };
    default:
      return afterFailure({ ...health, localError: null }, outcome.kind, context);
  }
}

/** Connections of ours that must have been silent until that tells something. */
export const TELLING_SILENCES = 2;

/** The server answers its sessions. If it was silent to new connections or refused them, it is not hung or dead: it is full, or bans this proxy. */
export function afterSignOfLife(health: ServerHealth, sessions: number, now: number): ServerHealth {
  if (health.verdict === 'out' && health.cause === 'refused' && sessions > 0) return { ...health, cause: 'rejected', bad: 1 };
  if (health.silences < TELLING_SILENCES || health.verdict === 'joining') return health;
  const known = { ...health, silences: 0 };
  if (mayBeFull(health.limit, sessions, now)) return full(known, sessions, now, true);
  return health.verdict === 'out' ? { ...known, cause: 'ignored', bad: 1 } : known;
}

/** Whether a server holds as many sessions as it has shown to take. */
export function isFull({ limit }: ServerHealth, sessions: number): boolean {
  return limit.sessions !== null && sessions >= limit.sessions;
}

/** Trouble of clients since the last look. */
export interface ClientErrors {
  readonly all: number;
  /** Those whose connection was established and got no greeting; the others were refused, reset or never got there. */
  readonly silent: number;
}

/** Clients had trouble with a server that is not to be probed: as many failures in a row as checks would need take it out for a while. */
export function afterClientErrors(health: ServerHealth, clientErrors: ClientErrors, check: CheckModel, now: number): ServerHealth {
  const silences = clientErrors.silent > 0 || clientErrors.all === 0 ? health.silences + clientErrors.silent : 0;
  const silentSince = health.silences > 0 ? health.silentSince : now - check.timeoutMs;
  const next = { ...health, bad: health.bad + clientErrors.all, silences, silentSince };
  return next.bad < check.fall ? next : { ...out(next, 'unserved', now), restraint: Math.min(health.restraint + 1, MOST_RESTRAINT) };
}

/** Lets clients try a server again that is not to be probed: one failure sends it back, and it rests for longer. */
export function afterRest(health: ServerHealth, check: CheckModel, now: number): ServerHealth {
  return health.verdict !== 'out' ? health : { ...health, verdict: 'up', cause: null, since: now, bad: check.fall - 1, silences: 0 };
}

/** The server is hung: whatever it was before, it takes no new sessions. */
export function afterHang(health: ServerHealth, now: number): ServerHealth {
  return health.verdict === 'out' ? health : out(health, 'silent', now);
}

function afterGreeting(health: ServerHealth, { check, now, sessions }: ProbeContext): ServerHealth {
  const next: ServerHealth = {
    ...health,
    good: health.good + 1,
    bad: 0,
    silences: 0,
    suspected: false,
    localError: null,
    // What refused connections may have been another process, with another limit.
    limit: health.cause === 'refused' ? NO_LIMIT : accepted(health.limit, sessions, now),
    ...relaxed(health, now),
  };
  if (health.verdict === 'up') return { ...next, cause: null };
  const refusedUs = refusesProxy(health.cause);
  // One that limits connections must not be asked twice; and one that joins, or went on serving, has nothing to prove again.
  const oneIsEnough = refusedUs || health.cause === 'ignored' || health.verdict === 'joining';
  if (next.good < (oneIsEnough ? 1 : check.rise)) return next;
  return {
    ...next,
    verdict: 'up',
    cause: null,
    since: now,
    ...(refusedUs ? { restraint: Math.min(health.restraint + 1, MOST_RESTRAINT), restrainedAt: now } : {}),
  };
}

function relaxed(health: ServerHealth, now: number): Partial<ServerHealth> {
  if (health.restraint === 0 || now - health.restrainedAt < RESTRAINT_ENDS_MS) return {};
  return { restraint: health.restraint - 1, restrainedAt: now };
}

function afterFailure(health: ServerHealth, kind: FailureKind, { check, connections, now, sessions }: ProbeContext): ServerHealth {
  const next: ServerHealth = {
    ...health,
    cause: kind === 'refused' && health.cause === 'rejected' && sessions > 0 ? 'rejected' : kind,
    good: 0,
    bad: health.bad + connections,
    silences: kind === 'silent' ? health.silences + connections : 0,
    silentSince: health.silences > 0 ? health.silentSince : now - check.timeoutMs,
  };
  if (health.verdict !== 'up') return next;
  // It is known to be full: one more refusal, whichever way, is no news.
  if ((kind === 'closed' || kind === 'silent') && isFull(health, sessions)) return full(next, sessions, now, kind === 'silent');
  const enough = next.bad >= neededFailures(kind, health.suspected, check);
  if (kind === 'closed' && enough && mayBeFull(health.limit, sessions, now)) return full(next, sessions, now, false);
  return enough ? out(next, kind, now) : next;
}

function neededFailures(kind: FailureKind, suspected: boolean, check: CheckModel): number {
  if (suspected) return kind === 'refused' ? REFUSALS : 1;
  // A server that closes at once may count connections: it is not probed a third time.
  return kind === 'closed' ? Math.min(check.fall, 2) : check.fall;
}

function full(health: ServerHealth, sessions: number, now: number, silent: boolean): ServerHealth {
  const since = health.verdict === 'up' ? health.since : now;
  return { ...health, verdict: 'up', cause: null, since, bad: 0, suspected: false, limit: refusedAt(health.limit, sessions, silent) };
}

function out(health: ServerHealth, cause: FailureKind, now: number): ServerHealth {
  return { ...health, verdict: 'out', cause, since: now, suspected: false };
}
