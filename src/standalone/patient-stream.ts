import { write } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import type { Clock } from '../runtime/clock.ts';
import { systemCode } from '../runtime/errors.ts';

/** What is held back for a reader that does not read; what comes beyond it is left out. */
const MOST_BYTES = 262_144;
const FULL_PAUSE_MS = 50;

type WriteDone = (error: Error | null | undefined) => void;

/**
 * Writes to a file descriptor without ever waiting for its reader. Node itself writes to terminals and pipes synchronously: one Ctrl-S,
 * or a pager that is not scrolled, would stop drains and health with the output.
 */
export class PatientStream extends Writable {
  readonly isTTY: boolean;
  readonly #fd: number;
  readonly #clock: Clock;

  constructor(fd: number, clock: Clock) {
    super({ highWaterMark: MOST_BYTES, decodeStrings: true });
    this.#fd = fd;
    this.#clock = clock;
    this.isTTY = isatty(fd);
  }

  /** Width of the terminal. */
  get columns(): number {
    return this.isTTY ? process.stdout.columns : 80;
  }

  /** Height of the terminal. */
  get rows(): number {
    return this.isTTY ? process.stdout.rows : 24;
  }

  /** Takes a text, or leaves it out where too much is waiting already. */
  override write(chunk: string | Uint8Array, encoding?: BufferEncoding | WriteDone, done?: WriteDone): boolean {
    if (this.writableLength >= MOST_BYTES) return false;
    return typeof encoding === 'function' ? super.write(chunk, encoding) : super.write(chunk, encoding ?? 'utf8', done);
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: WriteDone): void {
    write(this.#fd, chunk, (error, written) => {
      if (error !== null && systemCode(error) === 'EAGAIN') return void this.#later(chunk, encoding, done);
      // A full disk or a closed pipe behind the output must not stop the program, and there is nowhere to report it.
      if (error !== null || written === chunk.length) return done(null);
      this._write(chunk.subarray(written), encoding, done);
    });
  }

  /** A pipe that is full and does not block. */
  async #later(chunk: Buffer, encoding: BufferEncoding, done: WriteDone): Promise<void> {
    await this.#clock.sleep(FULL_PAUSE_MS);
    this._write(chunk, encoding, done);
  }
}
