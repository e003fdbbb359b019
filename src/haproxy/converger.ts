import { Bell, type Clock } from '../runtime/clock.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';
import type { ActualProxy, ActualServer } from './actual.ts';
import type { Command } from './command.ts';
import { CommandRunner } from './command-runner.ts';
import type { ConfigStore } from './config-store.ts';
import { type Difference, diff, isSettled } from './diff.ts';
import { DriftWatch } from './drift.ts';
import { type EffectiveModel, effectiveModel, roomAfterReload } from './effective.ts';
import type { Report } from './event.ts';
import type { Probe } from './greeting.ts';
import { HealthMonitor } from './health/health-monitor.ts';
import { LocalPortWatch } from './local-port-watch.ts';
import { makeBeforeBreak } from './make-before-break.ts';
import type { ProxyModel } from './model.ts';
import { observe, type ProxyObservation, unreadable } from './observation.ts';
import { PortHandover } from './port-handover.ts';
import { readBack } from './readback.ts';
import { RefusalCounter } from './refusals.ts';
import { Reloader } from './reloader.ts';
import { RememberedCounts } from './remembered-counts.ts';
import type { ControlSockets } from './runtime-socket.ts';
import { type OnClosed, SessionCloser } from './session-closer.ts';
import { readTraffic } from './sessions.ts';
import { TableKeeper } from './table-keeper.ts';

/** How often the proxy is looked at when nothing has happened: what was changed by hand is put right within this time. */
export const RESYNC_MS = 500;
const CLOSING_ROUND_MS = 100;
/** Longest time that the drain of the last serving server waits for its successor's greeting: a drain takes effect within 150 ms. */
const HOLD_MS = 80;
/**
 * A client that connects in the very moment of a drain is remembered just after the table was cleared, and would come back to the
 * drained server until the next look. So for a while after a drain the looks come fast.
 */
const AFTER_DRAIN_MS = 150;
const AFTER_DRAIN_LOOK_MS = 20;
/** Rounds of compare and command in one pass; a server's removal takes three, and a refused command must not spin. */
const MAX_ROUNDS = 6;

/** What a converger works with. */
export interface ConvergerOptions {
  readonly sockets: ControlSockets;
  readonly config: ConfigStore;
  readonly clock: Clock;
  readonly report: Report;
  readonly onObservation: (observation: ProxyObservation) => void;
  readonly onClosed: OnClosed;
  readonly probe?: Probe;
}

/** What a pass has found. */
interface Pass {
  /** What is wanted, with the previous port where that must stay for a while. */
  readonly wanted: ProxyModel;
  readonly actual: ActualProxy;
  readonly effective: EffectiveModel;
  readonly difference: Difference;
}

/** Makes one HAProxy match its model and keeps it so: compares, commands, reads back, until nothing differs. */
export class Converger {
  readonly #options: ConvergerOptions;
  readonly #bell = new Bell();
  readonly #health: HealthMonitor;
  readonly #drift = new DriftWatch();
  readonly #commands: CommandRunner;
  readonly #reloader: Reloader;
  readonly #closer: SessionCloser;
  readonly #tables: TableKeeper;
  readonly #remembered: RememberedCounts;
  readonly #handover = new PortHandover();
  readonly #refusals = new RefusalCounter();
  readonly #ports: LocalPortWatch;
  #wanted: ProxyModel | undefined;
  #revision: string | null = null;
  /** Servers of the last look; those that are not wanted have sticky clients to forget, too. */
  #seen: readonly ActualServer[] = [];
  #reachable = true;
  #wantedAt = 0;
  /** When a server was last drained, on the monotonic clock. */
  #drainedAt = Number.NEGATIVE_INFINITY;
  /** Whether a drain waits for a new server to be let in. */
  #holding = false;

  constructor(options: ConvergerOptions) {
    const { clock, onClosed, probe, report, sockets } = options;
    this.#options = options;
    this.#commands = new CommandRunner(sockets.runtime, report);
    this.#reloader = new Reloader(sockets, clock, report);
    this.#closer = new SessionCloser({ sockets, clock, report, onClosed });
    this.#tables = new TableKeeper(sockets, clock);
    this.#remembered = new RememberedCounts({ socket: sockets.runtime, clock, report });
    this.#ports = new LocalPortWatch(clock);
    this.#health = new HealthMonitor({
      clock,
      report,
      bell: this.#bell,
      readTraffic: async (current, old, signal) => await readTraffic(sockets, current, old, signal),
      ...(probe === undefined ? {} : { probe }),
    });
  }

  /**
   * Sets what HAProxy should be from now on. Takes effect at once if the converger runs.
   *
   * @param revision names it; observations report it
   */
  want(model: ProxyModel, revision: string | null = null): void {
    this.#wanted = model;
    this.#revision = revision;
    this.#wantedAt = this.#options.clock.monotonic();
    this.#bell.ring();
  }

  /** Looks at HAProxy now instead of at the next resync, because something happened to it. */
  wake(): void {
    this.#bell.ring();
  }

  /** Converges until the signal is aborted. No error of a pass ends it. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#health.run(signal), this.#keepPassing(signal)]);
  }

  async #keepPassing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pass(signal);
      await this.#bell.wait(this.#options.clock, this.#pauseMs(), signal);
    }
  }

  /** How long to wait for something to happen before the next look. */
  #pauseMs(): number {
    if (this.#holding) return Math.max(1, this.#holdLeftMs());
    if (this.#options.clock.monotonic() < this.#drainedAt + AFTER_DRAIN_MS) return AFTER_DRAIN_LOOK_MS;
    return this.#closer.isClosing ? CLOSING_ROUND_MS : RESYNC_MS;
  }

  #holdLeftMs(): number {
    return this.#wantedAt + HOLD_MS - this.#options.clock.monotonic();
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const model = this.#wanted;
    const configRevision = this.#revision;
    if (model === undefined) return;
    try {
      const pass = await this.#match(model);
      const { actual, difference, effective, wanted } = pass;
      if (!this.#reachable)
        this.#options.report({ severity: 'Normal', reason: 'Reachable', server: null, message: 'HAProxy answers again' });
      this.#reachable = true;
      const refused = this.#refusals.count(actual.current.pid, actual.current.process.refused, this.#options.clock.monotonic());
      const localPorts = await this.#ports.read(wanted.servers);
      const { maxConnections } = wanted.structure;
      const standings = this.#health.standings(wanted, actual);
      this.#options.onObservation(observe({ configRevision, actual, difference, refused, localPorts, maxConnections, ...standings }));
      await this.#closer.closeOverdue(wanted, actual);
      if (wanted.structure.check.closeHungSessions && this.#health.pool.lost.length === 0) {
        await this.#closer.closeHung(effective, actual, this.#health);
      }
      await this.#commands.run(await this.#tables.due(wanted, actual, new Set(this.#health.clients.keys())));
      await this.#writeAndReload(pass, signal);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Compares and commands until nothing is left to command. */
  async #match(wanted: ProxyModel): Promise<Pass> {
    let pass = await this.#compare(wanted);
    for (const { server, what } of this.#drift.judge(pass.effective, pass.actual.current, pass.difference)) {
      const message = `was changed behind our back (${what}); it is put right`;
      this.#options.report({ severity: 'Warning', reason: 'Repaired', server, message });
    }
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const { actual, difference } = pass;
      const permitted = this.#holdLeftMs() > 0 ? makeBeforeBreak(difference, actual.current) : difference.commands;
      this.#holding = permitted.length < difference.commands.length;
      if (permitted.length === 0) break;
      const done = await this.#execute(permitted);
      pass = await this.#compare(wanted);
      // What was refused once is not asked again before the next look; clients that wait for a full server are forgotten again then, too.
      if (!done || isSettled(pass.difference)) break;
    }
    if (isSettled(pass.difference)) this.#drift.matches(pass.effective, pass.actual.current);
    return pass;
  }

  async #compare(model: ProxyModel): Promise<Pass> {
    const actual = await this.#read(model);
    const structure = this.#handover.structure(model.structure, actual.current, this.#options.clock.monotonic());
    const wanted = { ...model, structure };
    this.#health.look(wanted, actual);
    const effective = effectiveModel(wanted, actual, this.#health.rulings);
    return { wanted, actual, effective, difference: diff(effective, actual) };
  }

  async #read(wanted: ProxyModel): Promise<ActualProxy> {
    const names = new Set(wanted.servers.map((server) => server.name));
    const leaving = this.#seen.filter((server) => !names.has(server.name)).map((server) => server.id);
    const forgotten = wanted.servers
      .filter((server) => server.state === 'drain' || (server.backup && this.#activeServes))
      .map(({ id }) => id);
    const remembered = await this.#remembered.read(wanted.structure.stickinessMs === null ? [] : [...forgotten, ...leaving]);
    const actual = await readBack(this.#options.sockets, remembered);
    this.#seen = actual.current.servers;
    return actual;
  }

  /** Whether an Active server takes clients, so that no client should be remembered for a Backup. */
  get #activeServes(): boolean {
    return this.#seen.some((server) => !server.backup && server.admin === 'ready' && server.operational === 'up');
  }

  /** @returns whether HAProxy did all of it */
  async #execute(commands: readonly Command[]): Promise<boolean> {
    if (commands.some((command) => command.kind === 'state' && command.state === 'drain'))
      this.#drainedAt = this.#options.clock.monotonic();
    this.#remembered.forgotten(commands.flatMap((command) => (command.kind === 'forget-clients' ? command.id : [])));
    const done = await this.#commands.run(commands);
    const rulings = this.#health.rulings;
    for (const command of done) {
      if (command.kind !== 'state' || command.state !== 'ready' || rulings.get(command.name)?.usable !== true) continue;
      this.#options.report({
        severity: 'Normal',
        reason: 'GreetingReceived',
        server: command.name,
        message: 'has sent its greeting and takes sessions',
      });
    }
    return done.length === commands.length;
  }

  async #writeAndReload({ actual, difference, wanted }: Pass, signal: AbortSignal): Promise<void> {
    const { config } = this.#options;
    const written = await config.write(wanted, actual.current);
    if (difference.reload.length === 0 || !written) return this.#reloader.idle();
    // From the moment of the reload on, the sessions of now are an earlier worker's, and the new one does not know them.
    const prepare = async (): Promise<boolean> =>
      await config.write(wanted, actual.current, roomAfterReload(wanted, actual, this.#health.rulings));
    const tried = await this.#reloader.want(
      { structure: wanted.structure, worker: actual.current, why: difference.reload, prepare },
      signal,
    );
    if (tried) this.#bell.ring();
  }

  #failed(thrown: unknown): void {
    const known = thrown instanceof CccamError;
    if (this.#reachable) {
      const message = known ? `${thrown.code} ${thrown.message}` : messageOf(thrown);
      this.#options.report({ severity: 'Warning', reason: 'Unreachable', server: null, message });
    }
    this.#reachable = false;
    this.#holding = false;
    this.#options.onObservation(unreadable(known ? thrown.code : 'CCP_HAPROXY_UNREACHABLE', this.#revision));
  }
}
