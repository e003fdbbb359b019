import type { Report } from '../haproxy/event.ts';
import { messageOf } from '../runtime/errors.ts';

/**
 * Keeps the latest of something on disk, one write at a time. Nothing waits for it: what was lost by a crash is decided again from the
 * one before, with the same ids; only a drain's clock may then begin some milliseconds later.
 */
export class LatestWriter<Value> {
  readonly #save: (value: Value) => Promise<void>;
  readonly #report: Report;
  #pending: Value | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** @param save puts it on disk */
  constructor(save: (value: Value) => Promise<void>, report: Report) {
    this.#save = save;
    this.#report = report;
  }

  /** Writes it soon; one that comes while another is being written replaces whatever waits. */
  save(value: Value): void {
    this.#pending = value;
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

  async #write(first: Value): Promise<void> {
    let value: Value | undefined = first;
    try {
      while (value !== undefined) {
        await this.#save(value);
        if (this.#pending === value) this.#pending = undefined;
        if (this.#failed) this.#report({ severity: 'Normal', reason: 'FileWritten', server: null, message: 'the state is on disk again' });
        this.#failed = false;
        value = this.#pending;
      }
    } catch (thrown) {
      if (!this.#failed) this.#report({ severity: 'Warning', reason: 'FileNotWritten', server: null, message: messageOf(thrown) });
      this.#failed = true; // it stays pending; the next observation tries again
    }
  }
}
