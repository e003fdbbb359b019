import { basename } from 'node:path';
import { deletedSockets, findMaster, type LivingHaproxy, makeSocketsAgain } from '../haproxy/control-sockets.ts';
import type { Report } from '../haproxy/event.ts';
import type { Structure } from '../haproxy/model.ts';
import { findRunning, type HaproxyProcess, isAlive, reviveHaproxy, startHaproxy } from '../haproxy/supervisor.ts';
import type { Clock } from '../runtime/clock.ts';
import { messageOf } from '../runtime/errors.ts';
import { boundLog } from './haproxy-log.ts';

const LOOK_MS = 100;
/** Looks between two at the files of HAProxy: they are looked at once a second. */
const FILES_EVERY = 10;
/** Least time between two rounds of reloads that make sockets again; each leaves a worker with its sessions. */
const SOCKETS_APART_MS = 15_000;
const LONGEST_APART_MS = 600_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** One that starts and is ended again and again serves in between. */
const AFTER_A_START_MS = 2_000;
/** A HAProxy that lived so long had started well: its end is a new story, and it is started again at once. */
const GOOD_LIFE_MS = 60_000;

/** A HAProxy of a box, with the socket over which a worker hands its table of clients to the next one. */
export interface BoxProcess extends HaproxyProcess {
  readonly sockets: LivingHaproxy['sockets'];
}

/** Who is told what the keeper has done. */
export interface KeeperListener {
  /** HAProxy was started, so that it is converged at once. */
  readonly onStart: () => void;
  /** The configuration on disk was written meanwhile. */
  readonly onWritten: () => void;
}

/** Keeps HAProxy running: finds the one that is there, starts one where there is none, and starts it again when it ends. */
export class Keeper {
  readonly #process: BoxProcess;
  readonly #bind: () => Structure['bind'];
  readonly #clock: Clock;
  readonly #report: Report;
  #masterPid: number | null = null;
  /** What was already said to fail. */
  readonly #complained = new Set<'SocketsDeleted' | 'FileNotWritten'>();
  /** When sockets may be made again, on the monotonic clock, and how long after that at least. */
  #socketsAt = 0;
  #apartMs = SOCKETS_APART_MS;

  /** @param bind where clients should connect now */
  constructor(process: BoxProcess, bind: () => Structure['bind'], clock: Clock, report: Report) {
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
    if (living !== null) await this.#makeSocketsAgain(living, signal);
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

  /** Watches over HAProxy until the signal is aborted. */
  async run({ onStart, onWritten }: KeeperListener, signal: AbortSignal): Promise<void> {
    let delayMs = 0;
    let startedAt = this.#clock.monotonic();
    for (let look = 1; !signal.aborted; look += 1) {
      await this.#clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      if (this.#masterPid !== null && isAlive(this.#masterPid)) {
        if (look % FILES_EVERY === 0) await this.#tendFiles(this.#masterPid, onWritten, signal);
        continue;
      }
      if (this.#masterPid !== null) this.#say('Warning', 'HaproxyDied', 'it ended by itself; it is started again');
      this.#masterPid = null;
      if (this.#clock.monotonic() - startedAt > GOOD_LIFE_MS) delayMs = 0;
      await this.#clock.sleep(delayMs, signal);
      startedAt = this.#clock.monotonic();
      const longest = (await this.#restart(onStart, signal)) ? AFTER_A_START_MS : LONGEST_DELAY_MS;
      delayMs = Math.min(Math.max(2 * delayMs, FIRST_DELAY_MS), longest);
    }
  }

  /** Sockets that were deleted are made again, and the log is kept short. */
  async #tendFiles(masterPid: number, onWritten: () => void, signal: AbortSignal): Promise<void> {
    await this.#tend('FileNotWritten', async () => await boundLog(this.#process.logFile));
    if (this.#clock.monotonic() < this.#socketsAt) return;
    if (await this.#tend('SocketsDeleted', async () => await this.#makeSocketsAgain(masterPid, signal))) onWritten();
  }

  /** A disk that is full must not end the program. What fails is said once. */
  async #tend(reason: 'SocketsDeleted' | 'FileNotWritten', work: () => Promise<boolean>): Promise<boolean> {
    try {
      const isDone = await work();
      this.#complained.delete(reason);
      return isDone;
    } catch (thrown) {
      if (!this.#complained.has(reason)) this.#say('Warning', reason, messageOf(thrown));
      this.#complained.add(reason);
      return true;
    }
  }

  async #makeSocketsAgain(masterPid: number, signal: AbortSignal): Promise<boolean> {
    const living = { ...this.#process, masterPid };
    const deleted = await deletedSockets(living);
    if (deleted.length === 0) {
      this.#apartMs = SOCKETS_APART_MS;
      return false;
    }
    try {
      await makeSocketsAgain(living, this.#clock, signal);
    } finally {
      this.#socketsAt = this.#clock.monotonic() + this.#apartMs;
      this.#apartMs = Math.min(2 * this.#apartMs, LONGEST_APART_MS);
    }
    this.#say('Warning', 'SocketsDeleted', `${deleted.map((path) => basename(path)).join(', ')} had been deleted; made again by reloads`);
    return true;
  }

  /** @returns whether it runs */
  async #restart(onStart: () => void, signal: AbortSignal): Promise<boolean> {
    try {
      this.#masterPid = await startHaproxy(this.#process, this.#bind(), this.#clock, signal);
      this.#say('Normal', 'HaproxyStarted', `pid ${this.#masterPid}`);
      onStart();
      return true;
    } catch (thrown) {
      if (!signal.aborted) this.#say('Warning', 'HaproxyDied', messageOf(thrown));
      return false;
    }
  }

  #say(
    severity: 'Normal' | 'Warning',
    reason: 'HaproxyAdopted' | 'HaproxyStarted' | 'HaproxyDied' | 'SocketsDeleted' | 'FileNotWritten',
    message: string,
  ): void {
    this.#report({ severity, reason, server: null, message });
  }
}
