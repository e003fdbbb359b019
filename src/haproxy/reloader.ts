import type { Clock } from '../runtime/clock.ts';
import { messageOf } from '../runtime/errors.ts';
import type { ActualWorker } from './actual.ts';
import { assertPortFree } from './bind-check.ts';
import type { Report } from './event.ts';
import type { Structure } from './model.ts';
import { RELOAD_SPACING_MS, reload } from './reload.ts';
import { bindText } from './render.ts';
import type { ControlSockets } from './runtime-socket.ts';

/** Carries out reloads: never soon after another one, and never to a port that somebody else has. */
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
   * @param why reasons for people, at least one
   * @returns whether it was tried
   */
  async want(structure: Structure, worker: ActualWorker, why: readonly string[], signal: AbortSignal): Promise<boolean> {
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
      if (worker.bind !== bindText(structure.bind)) await assertPortFree(structure.bind);
      await reload(this.#sockets, this.#clock, signal);
      this.#report({ severity: 'Normal', reason: 'Reloaded', server: null, message: reasons });
    } catch (thrown) {
      this.#report({ severity: 'Warning', reason: 'ReloadFailed', server: null, message: messageOf(thrown) });
    }
    return true;
  }
}
