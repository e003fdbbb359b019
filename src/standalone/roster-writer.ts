import type { Report } from '../haproxy/event.ts';
import type { Roster } from '../pool/roster.ts';
import { messageOf } from '../runtime/errors.ts';
import { type StateFolder, saveRoster } from './state-folder.ts';

/**
 * Keeps the latest roster on disk, one write at a time. Nothing waits for it: a roster that was lost by a crash is decided again
 * from the one before and the pool, with the same ids; only a drain's clock may then begin some milliseconds later.
 */
export class RosterWriter {
  readonly #folder: StateFolder;
  readonly #report: Report;
  #pending: Roster | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(folder: StateFolder, report: Report) {
    this.#folder = folder;
    this.#report = report;
  }

  /** Writes the roster soon; one that comes while another is being written replaces whatever waits. */
  save(roster: Roster): void {
    this.#pending = roster;
    this.retry();
  }

  /** Writes again what could not be written before, if there is such. */
  retry(): void {
    if (this.#pending === undefined || this.#writing !== undefined) return;
    this.#writing = this.#write(this.#pending).finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves once nothing is being written any more. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(first: Roster): Promise<void> {
    let roster: Roster | undefined = first;
    try {
      while (roster !== undefined) {
        await saveRoster(this.#folder, roster);
        if (this.#pending === roster) this.#pending = undefined;
        if (this.#failed) this.#report({ severity: 'Normal', reason: 'FileWritten', server: null, message: 'the state is on disk again' });
        this.#failed = false;
        roster = this.#pending;
      }
    } catch (thrown) {
      if (!this.#failed) this.#report({ severity: 'Warning', reason: 'FileNotWritten', server: null, message: messageOf(thrown) });
      this.#failed = true; // it stays pending; the next observation tries again
    }
  }
}
