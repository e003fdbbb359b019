import { Bell, type Clock } from '../../runtime/clock.ts';
import { CccamError } from '../../runtime/errors.ts';
import type { ActualProxy, ActualServer } from '../actual.ts';
import { heldByOthers, limitOf } from '../effective.ts';
import type { Report } from '../event.ts';
import { type Probe, probeServer } from '../greeting.ts';
import type { CheckModel, ProxyModel, WantedServer } from '../model.ts';
import type { Observed, ServerStanding } from '../observation.ts';
import type { Traffic } from '../sessions.ts';
import { ClientErrorCounts } from './client-error-counts.ts';
import { Fullness } from './fullness.ts';
import { healthEvent, LOCAL_ERROR_RESOLVED, localErrorEvent, SERVERS_RECOVERED, serversLost } from './health-event.ts';
import { type Candidate, type PoolHealth, poolHealth } from './panic.ts';
import { Prober } from './prober.ts';
import { type Ruling, WatchedServer } from './watched-server.ts';

/** Reads the traffic of each session, over these workers. */
export type ReadTraffic = (current: number, old: readonly number[], signal: AbortSignal) => Promise<Traffic>;

/** What a monitor works with. */
export interface HealthMonitorOptions {
  readonly clock: Clock;
  readonly report: Report;
  readonly readTraffic: ReadTraffic;
  /** Rung when a ruling has changed, so that HAProxy follows at once. */
  readonly bell: Bell;
  readonly probe?: Probe;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** How often the sessions' traffic is looked at, and what share of the time that may take: usually, and while a server is silent to new connections. */
const TRAFFIC = { everyMs: 1_000, share: 0.005 } as const;
const QUESTION = { everyMs: 500, share: 0.03 } as const;
/** Probes under way at the same time; each takes a file and a thread of a server. */
const MOST_PROBES = 64;
const IDLE_MS = 1_000;

/**
 * Judges the servers of one proxy: probes them, looks at the counters that move when clients have trouble, and at the traffic of the
 * sessions, and tells HAProxy the result. HAProxy's own checks cannot do that: they run exactly as often as the file says, take
 * this machine's own errors for the server's, and do not exist in workers from before a reload.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #prober: Prober;
  readonly #random: () => number;
  readonly #due = new Bell();
  readonly #traffic = new Bell();
  readonly #servers = new Map<string, WatchedServer>();
  readonly #clientErrors = new ClientErrorCounts();
  readonly #fullness = new Fullness();
  #check: CheckModel | null = null;
  #pids: { readonly current: number; readonly old: readonly number[] } = { current: 0, old: [] };
  #clients: ReadonlyMap<string, number> = new Map();
  #probing = 0;
  #panic = false;
  #localError: string | null = null;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#prober = new Prober(options.probe ?? probeServer, options.clock);
    this.#random = options.random ?? Math.random;
  }

  /** Sessions by the address of their client, as they were seen last. */
  get clients(): ReadonlyMap<string, number> {
    return this.#clients;
  }

  /** How each server that should serve stands, by name. */
  get rulings(): ReadonlyMap<string, Ruling> {
    const { kept } = this.pool;
    const rulings = [...this.#servers].map(([name, watched]): [string, Ruling] => [name, watched.ruling]);
    // Where no other server is usable, one that is only doubted is better than none.
    const lonely = !rulings.some(([, { usable }]) => usable);
    return new Map(
      rulings.map(([name, ruling]) => [name, { ...ruling, usable: ruling.usable || kept.has(name) || (lonely && ruling.doubted) }]),
    );
  }

  /** What all of them come to. */
  get pool(): PoolHealth {
    const candidates = [...this.#servers].map(([name, { health, server }]): Candidate => {
      const { cause, since, verdict } = health;
      return { name, weight: server.weight, verdict, cause, since };
    });
    return poolHealth(candidates);
  }

  /** Names of servers that are hung. */
  get hung(): readonly string[] {
    return [...this.#servers].flatMap(([name, watched]) => (watched.hung ? [name] : []));
  }

  /** Names of servers that can take the clients of one that hangs: known to answer since it fell silent. */
  get proven(): ReadonlySet<string> {
    const since = this.#silentSince ?? Number.NEGATIVE_INFINITY;
    return new Set([...this.#servers].flatMap(([name, watched]) => (watched.answersSince(since) ? [name] : [])));
  }

  /** System error that keeps probes from being tried, or null. */
  get localError(): string | null {
    return [...this.#servers.values()].map(({ health }) => health.localError).find((code) => code !== null) ?? null;
  }

  /** What observations tell of it. */
  standings(wanted: ProxyModel, actual: ActualProxy): Pick<Observed, 'standings' | 'localError' | 'panic' | 'clients'> {
    const now = this.#options.clock.monotonic();
    const held = heldByOthers(actual);
    const own = new Map(actual.current.servers.map(({ name, sessions }) => [name, sessions]));
    const standings = wanted.servers.flatMap((server): [string, ServerStanding][] => {
      const ruling = this.#servers.get(server.name)?.ruling;
      if (ruling === undefined) return [];
      const { cause, learnedLimit, limitIsSure, state } = ruling;
      const elsewhere = held(server);
      const sessions = (own.get(server.name) ?? 0) + elsewhere;
      const atLimit = (state === 'up' || state === 'full') && sessions >= limitOf(server, learnedLimit);
      const full = this.#fullness.look(server.name, atLimit, now) && (state === 'up' || state === 'full');
      if (full) return [[server.name, { health: 'full', cause: elsewhere > 0 ? 'held' : null, learnedLimit, limitIsSure }]];
      return [[server.name, { health: state === 'full' ? 'up' : state, cause, learnedLimit, limitIsSure }]];
    });
    return { standings: new Map(standings), localError: this.localError, panic: this.pool.lost.length > 0, clients: this.#clients };
  }

  /** Takes over what was just read. Servers that should not serve are forgotten. */
  look(wanted: ProxyModel, actual: ActualProxy): void {
    const { check } = wanted.structure;
    const now = this.#options.clock.monotonic();
    if (actual.current.pid !== this.#pids.current) this.#clientErrors.clear(); // a new worker counts from 0
    this.#pids = {
      current: actual.current.pid,
      old: actual.old.filter((worker) => worker.sessions !== null).map((worker) => worker.pid),
    };
    this.#check = check;
    const found = new Map(actual.current.servers.map((server) => [server.name, server]));
    const old = (name: string): number => actual.old.reduce((sum, worker) => sum + (worker.sessions?.get(name) ?? 0), 0);
    const serving = wanted.servers.filter((server) => server.state === 'ready');
    const names = new Set(serving.map(({ name }) => name));
    for (const name of this.#servers.keys()) if (!names.has(name)) this.#servers.delete(name);
    this.#clientErrors.keepOnly(names);
    for (const server of serving) {
      const running = found.get(server.name);
      const watched = this.#servers.get(server.name) ?? this.#watch(server, running, check, now);
      const clientErrors = this.#clientErrors.take(server.name, running);
      watched.look(server, { found: running, sessions: (running?.sessions ?? 0) + old(server.name), clientErrors }, check, now);
    }
    this.#askOthers();
    this.#due.ring();
    if (this.#isQuestioned) this.#traffic.ring();
    this.#announce();
  }

  #watch(server: WantedServer, running: ActualServer | undefined, check: CheckModel, now: number): WatchedServer {
    const watched = new WatchedServer(server, running, now, this.#random() * check.fastIntervalMs);
    this.#servers.set(server.name, watched);
    this.#clientErrors.begin(server.name, running);
    return watched;
  }

  /** Asks the others as soon as one hangs: what they were before says nothing about whether they can take its clients now. */
  #askOthers(): void {
    const since = this.#silentSince;
    if (since === null) return;
    for (const watched of this.#servers.values()) {
      const { health, lastAnswerAt, hung, server } = watched;
      if (!hung && !server.passive && health.verdict === 'up' && lastAnswerAt < since)
        watched.nextProbeAt = this.#options.clock.monotonic();
    }
  }

  /** When the first of those that hang fell silent, on the monotonic clock; null while none hangs. */
  get #silentSince(): number | null {
    const times = [...this.#servers.values()].flatMap(({ health, hung }) => (hung ? [health.silentSince] : []));
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Probes and looks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keepProbing(signal), this.#keepLooking(signal)]);
  }

  /** Whether a server is silent to new connections, so that its sessions must tell what it is. */
  get #isQuestioned(): boolean {
    return [...this.#servers.values()].some(
      ({ health, hung, sessions }) => sessions > 0 && !hung && (health.silences > 0 || health.suspected),
    );
  }

  async #keepProbing(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const now = clock.monotonic();
      for (const watched of this.#servers.values()) {
        if (this.#probing < MOST_PROBES && !watched.isProbing && watched.nextProbeAt <= now) this.#turn(watched, signal);
      }
      const waiting = this.#probing < MOST_PROBES ? [...this.#servers.values()].filter((watched) => !watched.isProbing) : [];
      const next = Math.min(...waiting.map((watched) => watched.nextProbeAt));
      await this.#due.wait(clock, Math.max(1, Math.min(next - now, IDLE_MS)), signal);
    }
  }

  #turn(watched: WatchedServer, signal: AbortSignal): void {
    const check = this.#check;
    if (check === null) return;
    if (watched.server.passive) {
      if (watched.health.verdict !== 'out') watched.nextProbeAt = Number.POSITIVE_INFINITY;
      else this.#change(watched, (at) => watched.rested(check, at));
      return;
    }
    watched.isProbing = true;
    this.#probing += 1;
    this.#ask(watched, check, signal)
      .catch((thrown: unknown) => {
        this.#options.report({ severity: 'Warning', reason: 'ProbeFailed', server: watched.server.name, message: String(thrown) });
        watched.nextProbeAt = this.#options.clock.monotonic() + check.intervalMs;
      })
      .finally(() => {
        watched.isProbing = false;
        this.#probing -= 1;
        this.#due.ring();
      });
  }

  async #ask(watched: WatchedServer, check: CheckModel, signal: AbortSignal): Promise<void> {
    const { address, port } = watched.server;
    const target = { address, port, probe: check.probe, timeoutMs: check.timeoutMs };
    // Where clients have trouble it must be known soon whether it is silent; and a silent one is asked by two connections.
    const twice = watched.health.suspected || (watched.health.silences > 0 && watched.sessions > 0);
    const onSlow = (): void => this.#change(watched, () => watched.doubt());
    const result = await this.#prober.ask({ target, twice, onSlow }, signal);
    if (signal.aborted || this.#servers.get(watched.server.name) !== watched) return;
    this.#change(watched, (now) => watched.probed(result, this.#check ?? check, now, this.#random()));
    if (this.#silentSince !== null) this.#options.bell.ring(); // a client that waits for a place may have one now
  }

  /** Lets a change happen, and has HAProxy follow where it matters. */
  #change(watched: WatchedServer, change: (now: number) => void): void {
    const before = watched.ruling;
    change(this.#options.clock.monotonic());
    const after = watched.ruling;
    if (JSON.stringify(before) !== JSON.stringify(after)) this.#options.bell.ring();
    const event = healthEvent(watched.server, before, after, watched.sessions);
    if (event !== null) this.#options.report(event);
    this.#announce();
    if (this.#isQuestioned) this.#traffic.ring();
  }

  /** Tells what concerns them all, when it begins and when it is over. */
  #announce(): void {
    const { report } = this.#options;
    const { lost } = this.pool;
    if (lost.length > 0 !== this.#panic) report(lost.length > 0 ? serversLost(lost) : SERVERS_RECOVERED);
    this.#panic = lost.length > 0;
    const { localError } = this;
    if (localError !== null && this.#localError === null) report(localErrorEvent(localError));
    if (localError === null && this.#localError !== null) report(LOCAL_ERROR_RESOLVED);
    this.#localError = localError;
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      const answered = await this.#lookAtTraffic(signal);
      const took = answered ? clock.monotonic() - begun : 0; // what was not answered has cost HAProxy nothing
      // Never sooner than a question needs, and then as late as it may be, or as soon as there is a question.
      await clock.sleep(Math.max(QUESTION.everyMs, took / QUESTION.share) - took, signal);
      if (!this.#isQuestioned) await this.#traffic.wait(clock, Math.max(TRAFFIC.everyMs - QUESTION.everyMs, took / TRAFFIC.share), signal);
    }
  }

  /** @returns whether HAProxy answered; the converger reports it when it does not */
  async #lookAtTraffic(signal: AbortSignal): Promise<boolean> {
    if (this.#pids.current === 0) return false; // nothing was read yet
    const { current, old } = this.#pids;
    try {
      const { clients, servers } = await this.#options.readTraffic(current, old, signal);
      this.#clients = clients;
      for (const [name, watched] of this.#servers)
        this.#change(watched, (now) => watched.lookAtTotals(servers.get(name) ?? new Map(), now));
      return true;
    } catch (thrown) {
      if (thrown instanceof CccamError) return false;
      throw thrown;
    }
  }
}
