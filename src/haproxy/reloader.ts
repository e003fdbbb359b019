import type { Clock } from '../runtime/clock.ts';
import { messageOf } from '../runtime/errors.ts';
import type { ActualWorker } from './actual.ts';
import { assertPortFree } from './bind-check.ts';
import type { Report } from './event.ts';
import type { Structure } from './model.ts';
import { RELOAD_SPACING_MS, reload } from './reload.ts';
import { bindText } from './render.ts';
import type { ControlSockets } from './runtime-socket.ts';

/** A reload that is needed. */
export interface WantedReload {
  readonly structure: Structure;
  readonly worker: ActualWorker;
  /** Reasons for people, at least one. */
  readonly why: readonly string[];
  /** Writes the file that the new worker begins with. @returns whether that was possible */
  readonly prepare: () => Promise<boolean>;
}

/** Carries out reloads: never soon after another one, and never to a port that is taken. */
export class Reloader {
  readonly #sockets: ControlSockets;
  readonly #clock: Clock;
  readonly #report: Report;
  #announced = false;
  /** When the last one was tried; one that fails must not be tried again at every look. */
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(sockets: ControlSockets, clock: Clock, report: Report) {
    this.#sockets = sockets;
    this.#clock = clock;
    this.#report = report;
  }

  /** Nothing needs a reload now. */
  idle(): void {
    this.#announced = false;
  }

  /**
   * Reloads if the last one is long enough ago.
   *
   * @returns whether it was tried
   */
  async want({ prepare, structure, why, worker }: WantedReload, signal: AbortSignal): Promise<boolean> {
    const reasons = why.slice(0, 3).join(', ');
    const sinceLast = Math.min(worker.uptimeSeconds * 1_000, this.#clock.monotonic() - this.#triedAt);
    if (sinceLast < RELOAD_SPACING_MS) {
      if (!this.#announced) this.#report({ severity: 'Normal', reason: 'ReloadPending', server: null, message: reasons });
      this.#announced = true;
      return false;
    }
    this.#announced = false;
    this.#triedAt = this.#clock.monotonic();
    try {
      if (!worker.binds.includes(bindText(structure.bind))) await assertPortFree(structure.bind);
      if (!(await prepare())) return true; // it was reported, and the file is what a reload reads
      await reload(this.#sockets, this.#clock, signal);
      this.#report({ severity: 'Normal', reason: 'Reloaded', server: null, message: reasons });
    } catch (thrown) {
      this.#report({ severity: 'Warning', reason: 'ReloadFailed', server: null, message: messageOf(thrown) });
    }
    return true;
  }
}
