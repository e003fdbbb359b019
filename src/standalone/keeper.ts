import { basename } from 'node:path';
import { deletedSockets, findMaster, makeSocketsAgain } from '../haproxy/control-sockets.ts';
import type { Report } from '../haproxy/event.ts';
import type { Structure } from '../haproxy/model.ts';
import { findRunning, type HaproxyProcess, isAlive, reviveHaproxy, startHaproxy } from '../haproxy/supervisor.ts';
import type { Clock } from '../runtime/clock.ts';
import { messageOf } from '../runtime/errors.ts';
import { boundLog } from './haproxy-log.ts';

const LOOK_MS = 100;
/** Looks between two at the files of HAProxy: they are looked at once a second. */
const FILES_EVERY = 10;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** A HAProxy that lived so long had started well: its end is a new story, and it is started again at once. */
const GOOD_LIFE_MS = 60_000;

/** Keeps HAProxy running: finds the one that is there, starts one where there is none, and starts it again when it ends. */
export class Keeper {
  readonly #process: HaproxyProcess;
  readonly #bind: () => Structure['bind'];
  readonly #clock: Clock;
  readonly #report: Report;
  #masterPid: number | null = null;
  /** Whether it was already said that the files cannot be tended. */
  #complained = false;

  /** @param bind where clients should connect now */
  constructor(process: HaproxyProcess, bind: () => Structure['bind'], clock: Clock, report: Report) {
    this.#process = process;
    this.#bind = bind;
    this.#clock = clock;
    this.#report = report;
  }

  get masterPid(): number | null {
    return this.#masterPid;
  }

  /**
   * Adopts a HAProxy that outlived its program, or starts one.
   *
   * @param prepare writes the configuration to start with; not called for one that runs already and is not ending
   * @throws CccamError CCP_PORT_UNUSABLE, CCP_HAPROXY_NOT_STARTED or CCP_HAPROXY_UNREACHABLE
   */
  async begin(prepare: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const living = await findMaster(this.#process);
    if (living !== null) await this.#makeSocketsAgain(living);
    this.#masterPid = await findRunning(this.#process, this.#clock, signal);
    if (this.#masterPid !== null) {
      this.#say('Normal', 'HaproxyAdopted', `goes on with all its sessions (pid ${this.#masterPid})`);
      return;
    }
    await prepare();
    if (living !== null && (await reviveHaproxy(this.#process, living, this.#clock, signal))) {
      this.#masterPid = living;
      this.#say('Normal', 'HaproxyAdopted', `had been told to end, and goes on with the sessions that it has left (pid ${living})`);
      return;
    }
    this.#masterPid = await startHaproxy(this.#process, this.#bind(), this.#clock, signal);
    this.#say('Normal', 'HaproxyStarted', `pid ${this.#masterPid}`);
  }

  /** Watches over HAProxy until the signal is aborted. @param onStart called after each start, so that it is converged at once */
  async run(onStart: () => void, signal: AbortSignal): Promise<void> {
    let delayMs = 0;
    let startedAt = this.#clock.monotonic();
    for (let look = 1; !signal.aborted; look += 1) {
      await this.#clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      if (this.#masterPid !== null && isAlive(this.#masterPid)) {
        if (look % FILES_EVERY === 0) await this.#tendFiles(this.#masterPid);
        continue;
      }
      if (this.#masterPid !== null) this.#say('Warning', 'HaproxyDied', 'it ended by itself; it is started again');
      this.#masterPid = null;
      if (this.#clock.monotonic() - startedAt > GOOD_LIFE_MS) delayMs = 0;
      await this.#clock.sleep(delayMs, signal);
      delayMs = Math.min(Math.max(2 * delayMs, FIRST_DELAY_MS), LONGEST_DELAY_MS);
      startedAt = this.#clock.monotonic();
      await this.#restart(onStart, signal);
    }
  }

  /** Sockets that were deleted are made again, and the log is kept short. A disk that is full must not end the program. */
  async #tendFiles(masterPid: number): Promise<void> {
    try {
      await this.#makeSocketsAgain(masterPid);
      await boundLog(this.#process.logFile);
      this.#complained = false;
    } catch (thrown) {
      if (!this.#complained) this.#say('Warning', 'SocketsDeleted', messageOf(thrown));
      this.#complained = true;
    }
  }

  async #makeSocketsAgain(masterPid: number): Promise<void> {
    const deleted = await deletedSockets(this.#process);
    if (deleted.length === 0) return;
    await makeSocketsAgain(this.#process, masterPid, this.#clock);
    this.#say('Warning', 'SocketsDeleted', `${deleted.map((path) => basename(path)).join(', ')} had been deleted; made again by reloads`);
  }

  async #restart(onStart: () => void, signal: AbortSignal): Promise<void> {
    try {
      this.#masterPid = await startHaproxy(this.#process, this.#bind(), this.#clock, signal);
      this.#say('Normal', 'HaproxyStarted', `pid ${this.#masterPid}`);
      onStart();
    } catch (thrown) {
      if (!signal.aborted) this.#say('Warning', 'HaproxyDied', messageOf(thrown));
    }
  }

  #say(
    severity: 'Normal' | 'Warning',
    reason: 'HaproxyAdopted' | 'HaproxyStarted' | 'HaproxyDied' | 'SocketsDeleted',
    message: string,
  ): void {
    this.#report({ severity, reason, server: null, message });
  }
}
