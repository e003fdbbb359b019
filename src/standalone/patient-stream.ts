import { constants, fstatSync, openSync, write } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import type { Clock } from '../runtime/clock.ts';
import { systemCode } from '../runtime/errors.ts';

/** What is held back for a reader that does not read; what comes beyond it is left out. */
const MOST_BYTES = 262_144;
const FULL_PAUSE_MS = 50;
const LAST_MS = 500;

type WriteDone = (error: Error | null | undefined) => void;

/**
 * Writes to a file descriptor without ever waiting for its reader. Node itself writes to terminals and pipes synchronously: one Ctrl-S,
 * or a pager that is not scrolled, would stop drains and health with the output.
 */
export class PatientStream extends Writable {
  readonly isTTY: boolean;
  readonly #fd: number;
  readonly #clock: Clock;
  #over = false;

  constructor(fd: number, clock: Clock) {
    super({ highWaterMark: MOST_BYTES, decodeStrings: true });
    this.#fd = withoutBlocking(fd);
    this.#clock = clock;
    this.isTTY = isatty(fd);
  }

  /** Waits a moment for what is left to be read, and lets go of it then: a process must end though its output is not read. */
  async finish(): Promise<void> {
    const limit = this.#clock.monotonic() + LAST_MS;
    while (this.writableLength > 0 && this.#clock.monotonic() < limit) await this.#clock.sleep(FULL_PAUSE_MS);
    this.#over = true;
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
      if (error !== null && systemCode(error) === 'EAGAIN' && !this.#over) return void this.#later(chunk, encoding, done);
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

/** Another descriptor of the same terminal or pipe that does not block, without changing it for those who share it. A file never blocks. */
function withoutBlocking(fd: number): number {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    if (systemCode(thrown) === undefined) throw thrown;
    return fd; // such as a terminal of another user: then it may block a thread, and nothing else
  }
}
