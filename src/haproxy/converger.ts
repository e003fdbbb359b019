import { Bell, type Clock } from '../runtime/clock.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';
import { type ActualProxy, type ActualServer, sessionsOf } from './actual.ts';
import { Admission, type Probe } from './admission.ts';
import type { Command } from './command.ts';
import { CommandRunner } from './command-runner.ts';
import type { ConfigStore } from './config-store.ts';
import { type Difference, diff, isSettled } from './diff.ts';
import { DriftWatch } from './drift.ts';
import type { Report } from './event.ts';
import { probeServer } from './greeting.ts';
import { withoutEmptying } from './hold-back.ts';
import type { ProxyModel } from './model.ts';
import { observe, type ProxyObservation } from './observation.ts';
import { readBack } from './readback.ts';
import { Reloader } from './reloader.ts';
import type { ControlSockets } from './runtime-socket.ts';
import { overdue, Pace } from './session-closer.ts';
import { closeSessions } from './sessions.ts';
import { TroubleWatch } from './trouble-watch.ts';

/** How often the proxy is looked at when nothing has happened: what was changed by hand is put right within this time. */
export const RESYNC_MS = 500;
const CLOSING_MS = 100;
/** Longest time that the drain of the last serving server waits for its successor's greeting: a drain is in force within 150 ms. */
const HOLD_MS = 80;
/**
 * A client that connects in the very moment of a drain is remembered just after the table was cleared, and would come back to the
 * drained server until the next look. So for a while after a drain the looks come fast.
 */
const AFTER_DRAIN_MS = 150;
const AFTER_DRAIN_LOOK_MS = 20;
/** Rounds of compare and command in one pass; a server's removal takes three, and a refused command must not spin. */
const MAX_ROUNDS = 6;

export interface ConvergerOptions {
  readonly sockets: ControlSockets;
  readonly config: ConfigStore;
  readonly clock: Clock;
  readonly report: Report;
  readonly onObservation: (observation: ProxyObservation) => void;
  readonly probe?: Probe;
}

/** Makes one HAProxy match its model and keeps it so: compares, commands, reads back, until nothing differs. */
export class Converger {
  readonly #options: ConvergerOptions;
  readonly #bell = new Bell();
  readonly #admission: Admission;
  readonly #troubles: TroubleWatch;
  readonly #drift = new DriftWatch();
  readonly #commands: CommandRunner;
  readonly #reloader: Reloader;
  readonly #pace = new Pace();
  #wanted: ProxyModel | undefined;
  #wish: string | null = null;
  /** Servers of the last look; those that are not wanted have sticky clients to forget, too. */
  #seen: readonly ActualServer[] = [];
  #reachable = true;
  #closing = false;
  #wantedAt = 0;
  /** When a server was last drained, on the clock that never jumps. */
  #drainedAt = Number.NEGATIVE_INFINITY;
  /** Whether a drain waits for a new server to be let in. */
  #holding = false;

  constructor(options: ConvergerOptions) {
    this.#options = options;
    this.#commands = new CommandRunner(options.sockets.runtime, options.report);
    this.#reloader = new Reloader(options.sockets, options.clock, options.report);
    const probe = options.probe ?? probeServer;
    this.#admission = new Admission(options.clock, this.#bell, options.report, probe);
    this.#troubles = new TroubleWatch(options.clock, this.#bell, probe);
  }

  /**
   * Sets what HAProxy should be from now on. Takes effect at once if the converger runs.
   *
   * @param wish names it; observations tell it back
   */
  want(model: ProxyModel, wish: string | null = null): void {
    this.#wanted = model;
    this.#wish = wish;
    this.#wantedAt = this.#options.clock.monotonic();
    this.#bell.ring();
  }

  /** Looks at HAProxy now instead of at the next resync; for whoever knows that something happened to it. */
  wake(): void {
    this.#bell.ring();
  }

  /** Converges until the signal is aborted. No error of a pass ends it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pass(signal);
      await this.#bell.wait(this.#options.clock, this.#pauseMs(), signal);
    }
    this.#admission.stop();
  }

  /** How long to wait for something to happen before the next look. */
  #pauseMs(): number {
    if (this.#holding) return Math.max(1, this.#holdLeftMs());
    if (this.#options.clock.monotonic() < this.#drainedAt + AFTER_DRAIN_MS) return AFTER_DRAIN_LOOK_MS;
    return this.#closing ? CLOSING_MS : RESYNC_MS;
  }

  #holdLeftMs(): number {
    return this.#wantedAt + HOLD_MS - this.#options.clock.monotonic();
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    const wish = this.#wish;
    if (wanted === undefined) return;
    try {
      const { actual, difference } = await this.#match(wanted);
      if (!this.#reachable)
        this.#options.report({ severity: 'Normal', reason: 'Reachable', server: null, message: 'HAProxy answers again' });
      this.#reachable = true;
      this.#options.onObservation(observe(wanted, actual, difference, null, wish));
      this.#troubles.look(actual.current, wanted.structure.check, signal);
      await this.#closeOverdue(wanted, actual);
      await this.#writeAndReload(wanted, actual, difference, signal);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  /** Compares and commands until nothing is left to command. */
  async #match(wanted: ProxyModel): Promise<{ actual: ActualProxy; difference: Difference }> {
    let actual = await this.#read(wanted);
    let difference = diff(wanted, actual.current, this.#admission.admitted);
    for (const { server, what } of this.#drift.judge(wanted, actual.current, difference)) {
      this.#options.report({
        severity: 'Warning',
        reason: 'Repaired',
        server,
        message: `was changed behind our back (${what}); it is put right`,
      });
    }
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const permitted = this.#holdLeftMs() > 0 ? withoutEmptying(difference, actual.current) : difference.commands;
      this.#holding = permitted.length < difference.commands.length;
      const commands: Command[] = [...this.#takeDown(actual), ...permitted];
      if (commands.length === 0) break;
      const done = await this.#execute(commands);
      actual = await this.#read(wanted);
      difference = diff(wanted, actual.current, this.#admission.admitted);
      // What was refused once is not asked again before the next look; clients that wait for a full server are forgotten again then, too.
      if (!done || isSettled(difference)) break;
    }
    this.#admission.await(difference.awaiting, wanted.structure.check);
    if (isSettled(difference)) this.#drift.matches(wanted, actual.current);
    return { actual, difference };
  }

  /** Commands for the servers that were found not to serve, unless HAProxy has noticed in the meantime. */
  #takeDown(actual: ActualProxy): Command[] {
    const up = new Set(actual.current.servers.filter((server) => server.operational === 'up').map((server) => server.name));
    const found = [...this.#troubles.takeFound()].filter(([name]) => up.has(name));
    return found.map(([name, outcome]) => {
      const message = `clients have trouble with it, and to us it is ${outcome}: out of rotation`;
      this.#options.report({ severity: 'Warning', reason: 'NotServing', server: name, message });
      return { kind: 'mark-down', name };
    });
  }

  async #read(wanted: ProxyModel): Promise<ActualProxy> {
    const names = new Set(wanted.servers.map((server) => server.name));
    const leaving = this.#seen.filter((server) => !names.has(server.name)).map((server) => server.id);
    const drained = wanted.servers.filter((server) => server.state === 'drain').map((server) => server.id);
    const actual = await readBack(this.#options.sockets, {
      countRemembered: wanted.structure.stickinessMs === null ? [] : [...drained, ...leaving],
    });
    this.#seen = actual.current.servers;
    return actual;
  }

  /** @returns whether HAProxy did all of it */
  async #execute(commands: readonly Command[]): Promise<boolean> {
    if (commands.some((command) => command.kind === 'state' && command.state === 'drain'))
      this.#drainedAt = this.#options.clock.monotonic();
    const done = await this.#commands.run(commands);
    for (const command of done) {
      if (command.kind !== 'state' || command.state !== 'ready') continue;
      this.#admission.done(command.name);
      this.#options.report({ severity: 'Normal', reason: 'Admitted', server: command.name, message: 'greets and takes sessions' });
    }
    return done.length === commands.length;
  }

  async #closeOverdue(wanted: ProxyModel, actual: ActualProxy): Promise<void> {
    const { clock, report, sockets } = this.#options;
    const servers = overdue(wanted, actual, clock.now());
    const pids = [...actual.old.filter((worker) => worker.sessions !== null).map((worker) => worker.pid), actual.current.pid];
    if (servers.length > 0 && !this.#closing) {
      for (const server of servers) {
        const message = `the deadline has passed; closing ${sessionsOf(actual, server.name)} sessions, ${wanted.closePerSecond} per second`;
        report({ severity: 'Normal', reason: 'ClosingSessions', server: server.name, message });
      }
    }
    this.#closing = servers.length > 0;
    if (!this.#closing) return this.#pace.reset();
    let permits = this.#pace.take(wanted.closePerSecond, clock.monotonic());
    for (const server of servers) {
      if (permits > 0) permits -= await closeSessions(sockets, pids, server.name, permits);
    }
    this.#pace.giveBack(permits);
  }

  async #writeAndReload(wanted: ProxyModel, actual: ActualProxy, difference: Difference, signal: AbortSignal): Promise<void> {
    const written = await this.#options.config.write(wanted, actual.current);
    if (difference.reload.length === 0 || !written) return this.#reloader.idle();
    if (await this.#reloader.want(wanted.structure, actual.current, difference.reload, signal)) this.#bell.ring();
  }

  #failed(thrown: unknown): void {
    const known = thrown instanceof CccamError;
    if (this.#reachable) {
      this.#options.report({
        severity: 'Warning',
        reason: 'Unreachable',
        server: null,
        message: known ? `${thrown.code} ${thrown.message}` : messageOf(thrown),
      });
    }
    this.#reachable = false;
    this.#holding = false;
    this.#options.onObservation(observe(this.#wanted, null, null, known ? thrown.code : 'CCP_HAPROXY_UNREACHABLE', this.#wish));
  }
}
