import type { ActualServer } from '../actual.ts';
import type { CheckModel, WantedServer } from '../model.ts';
import { type Activity, answeredSince, KEEPALIVE_MS, nextActivity, type SessionTotals, servedSessions, standsStill } from './activity.ts';
import { type HealthCause, type HealthState, healthState, isHung } from './health-state.ts';
import { accepted } from './learned-limit.ts';
import type { ProbeResult } from './prober.ts';
import { nextProbeMs } from './schedule.ts';
import {
  afterClientErrors,
  afterHang,
  afterProbe,
  afterRest,
  afterSignOfLife,
  type ClientErrors,
  isFull,
  newHealth,
  refusesProxy,
  type ServerHealth,
} from './server-health.ts';

/** How a server stands, as far as HAProxy must follow. */
export interface Ruling {
  readonly state: HealthState;
  readonly cause: HealthCause | null;
  /** Whether it has greeted since it should serve. */
  readonly joined: boolean;
  /** Whether it may take new sessions. */
  readonly usable: boolean;
  /** Whether it is being asked whether it still greets, because clients had trouble, and has not answered at once. */
  readonly doubted: boolean;
  /** Sessions above which it has refused more; null while it has not. */
  readonly learnedLimit: number | null;
  /** Whether that is the server's limit for sure: it took a connection again after a session had ended. */
  readonly limitIsSure: boolean;
  /** Whether HAProxy's own checks run: not where they would be refused, or fail for a reason of this machine. */
  readonly ownChecks: boolean;
}

/** What was read of a server in one look. */
export interface ServerFigures {
  readonly found: ActualServer | undefined;
  /** Sessions over all workers. */
  readonly sessions: number;
  /** Clients that have had trouble with it since the last look. */
  readonly clientErrors: ClientErrors;
}

/** For how long HAProxy may still call a server down that may serve again: it is told, and read again. */
const SETTLE_MS = 1_000;
/** Longest time for which trouble of clients starts no probe, because the ones before found nothing wrong. */
const LONGEST_QUIET_MS = 60_000;

/** One server that should serve: its health, and what it is judged by. It does no I/O. */
export class WatchedServer {
  server: WantedServer;
  health: ServerHealth;
  activity: Activity | null = null;
  sessions = 0;
  /** When it is probed next, on the monotonic clock. */
  nextProbeAt: number;
  isProbing = false;
  /** Sessions that it held before, and those that it has held since then without any trouble. */
  #growth: { readonly before: number; readonly sessions: number; readonly since: number };
  /** Trouble before that time starts no probe: the last one found nothing wrong. */
  #quietUntil = 0;
  #quietMs = 0;
  #doubted = false;
  /** Since when it may serve, on the monotonic clock. */
  #usableSince = 0;
  /** Its sessions have had something after that time: the look before the one that saw it. */
  #heardAfter = Number.NEGATIVE_INFINITY;
  /** Whether it was hung, and has not answered anything since. */
  #wasHung = false;
  #greetedAt = Number.NEGATIVE_INFINITY;
  /** When the last probe began that was not answered: what its sessions had before says nothing. */
  #unansweredSince = Number.NEGATIVE_INFINITY;

  constructor(server: WantedServer, found: ActualServer | undefined, now: number, spreadMs: number) {
    this.server = server;
    const serves = found?.admin === 'ready';
    const verdict = server.passive ? 'up' : !serves ? 'joining' : found.operational === 'up' ? 'up' : 'out';
    this.health = newHealth(verdict, now);
    // One that already serves has sent its greeting to an earlier agent; it is probed soon, and not all of them at once.
    this.nextProbeAt = verdict === 'up' ? now + spreadMs : now;
    this.#growth = { before: 0, sessions: 0, since: now };
  }

  /** Whether it is hung. */
  get hung(): boolean {
    return isHung(this.health, this.sessions, this.activity);
  }

  /** After that time it has greeted, or its sessions have had something. On the monotonic clock. */
  get lastAnswerAt(): number {
    return Math.max(this.#greetedAt, this.#heardAfter);
  }

  /** Whether it takes clients and was heard since that time; of one that is not probed and has none, nothing is to be heard. */
  answersSince(time: number): boolean {
    return this.ruling.usable && (this.lastAnswerAt >= time || (this.server.passive && this.sessions === 0));
  }

  get ruling(): Ruling {
    const { cause, limit, localError, verdict } = this.health;
    const state = this.#doubted ? 'checking' : healthState(this.health, this.sessions, this.hung || (this.#wasHung && cause === 'silent'));
    const refuses = refusesProxy(cause) || cause === 'ignored' || limit.sessions !== null;
    return {
      state,
      cause: ['up', 'checking', 'full'].includes(state) ? null : cause,
      joined: verdict !== 'joining',
      usable: verdict === 'up' && !this.#doubted,
      doubted: this.#doubted,
      learnedLimit: limit.sessions,
      limitIsSure: limit.sure,
      ownChecks: !this.server.passive && !refuses && localError === null,
    };
  }

  /** Takes over what was read. */
  look(server: WantedServer, { found, sessions, clientErrors }: ServerFigures, check: CheckModel, now: number): void {
    if (server.passive !== this.server.passive) this.#changeMode(server.passive, now);
    this.server = server;
    this.sessions = sessions;
    this.#remember(clientErrors, check, now);
    const markedDown = found?.admin === 'ready' && found.operational === 'down' && now - this.#usableSince > SETTLE_MS;
    const doubted = clientErrors.all > 0 || markedDown;
    if (this.health.verdict !== 'up' || !doubted) return;
    if (server.passive) {
      this.health = afterClientErrors(this.health, clientErrors, check, now);
      this.#schedule(check, now, 0);
    } else if (!this.health.suspected && now >= this.#quietUntil) this.#suspect(now);
  }

  /** Takes over what its sessions have had. */
  lookAtTotals(totals: SessionTotals, now: number): void {
    const before = this.activity;
    this.activity = nextActivity(before, totals, now);
    if (before !== null && answeredSince(this.activity, before.at)) {
      this.#heardAfter = before.at;
      this.#hearSessions(now);
    } else if (this.hung) {
      this.#wasHung = true;
      this.health = afterHang(this.health, now);
    } else if (this.#deservesQuestion(now) && standsStill(this.activity, isFull(this.health, this.sessions) ? KEEPALIVE_MS : 0))
      this.#suspect(now);
  }

  /** Its time has come, and it is not to be probed: clients try it again. */
  rested(check: CheckModel, now: number): void {
    this.health = afterRest(this.health, check, now);
    this.#schedule(check, now, 0);
  }

  /** It does not answer at once while clients fail on it: it gets no new sessions until it has. */
  doubt(): void {
    this.#doubted = this.health.verdict === 'up' && this.health.suspected;
  }

  /** Takes over what came of a probe. @param jitter uniform in [0, 1), so that a fleet does not probe in step */
  probed({ connections, outcome }: ProbeResult, check: CheckModel, now: number, jitter: number): void {
    const wasSuspected = this.health.suspected;
    const wasUsable = this.ruling.usable;
    const wasRefused = this.health.cause === 'refused' || this.health.cause === 'rejected';
    this.#doubted = false;
    this.health = afterProbe(this.health, outcome, { check, sessions: this.sessions, connections, now });
    if (outcome.kind === 'silent') this.#unansweredSince = now - check.timeoutMs;
    if (outcome.kind === 'refused' && !wasRefused) this.#unansweredSince = now; // one that is dead has no sessions soon after the first
    if (outcome.kind === 'greeted') this.#greetedAt = now;
    this.#wasHung = this.hung || (this.#wasHung && outcome.kind === 'silent');
    this.#hearSessions(now); // what they have had meanwhile is known already
    if (wasSuspected && this.health.verdict === 'up') this.#calm(check, now);
    if (!wasUsable && this.ruling.usable) this.#usableSince = now;
    this.#schedule(check, now, jitter);
  }

  /** Its sessions go on, though new connections are not answered. */
  #hearSessions(now: number): void {
    const served = this.activity === null ? 0 : servedSessions(this.activity.totals);
    if (served === 0 || this.#heardAfter < this.#unansweredSince) return;
    // Clients alone tell little about why one of them failed: no limit is learned from that, because it would never be tried again.
    this.health = this.server.passive ? { ...this.health, silences: 0 } : afterSignOfLife(this.health, served, now);
  }

  #changeMode(passive: boolean, now: number): void {
    if (passive && this.health.verdict === 'joining') this.health = { ...this.health, verdict: 'up', cause: null, since: now };
    this.nextProbeAt = now;
  }

  #deservesQuestion(now: number): boolean {
    const { silences, suspected, verdict } = this.health;
    return verdict === 'up' && !this.server.passive && !suspected && silences === 0 && now >= this.#quietUntil;
  }

  #suspect(now: number): void {
    this.health = { ...this.health, suspected: true };
    this.nextProbeAt = now;
  }

  /** It was only slow for that client; if that goes on, it is not asked each time. */
  #calm(check: CheckModel, now: number): void {
    this.#quietMs = Math.min(Math.max(2 * this.#quietMs, check.fastIntervalMs), LONGEST_QUIET_MS);
    this.#quietUntil = now + this.#quietMs;
  }

  #schedule(check: CheckModel, now: number, jitter: number): void {
    const ms = nextProbeMs(this.health, this.sessions, check);
    this.nextProbeAt = now + (this.health.verdict === 'up' && !this.health.suspected ? ms * (0.9 + 0.2 * jitter) : ms);
  }

  /** One session more that lasts longer than a greeting may take, without any trouble: the server took it. */
  #remember({ all: clientErrors }: ClientErrors, check: CheckModel, now: number): void {
    const { before, sessions, since } = this.#growth;
    const undisturbed = clientErrors === 0 && this.sessions >= sessions;
    if (undisturbed && now - since <= check.timeoutMs + 1_000) return;
    if (undisturbed && sessions > before) {
      this.health = { ...this.health, limit: accepted(this.health.limit, sessions - 1, now) };
      if (this.server.passive) this.health = { ...this.health, bad: 0, silences: 0, restraint: 0 };
      this.#quietMs = 0;
    }
    this.#growth = { before: undisturbed ? sessions : Math.min(before, this.sessions), sessions: this.sessions, since: now };
  }
}
