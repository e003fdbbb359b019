import { constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';
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
  /** Where the other end is a socket, such as the journal's. */
  readonly #socket: Socket | null;
  readonly #clock: Clock;
  #over = false;

  constructor(fd: number, clock: Clock) {
    super({ highWaterMark: MOST_BYTES, decodeStrings: true });
    this.#fd = withoutBlocking(fd);
    this.#socket = fstatSync(fd).isSocket() ? asSocket(fd) : null;
    this.#clock = clock;
    this.isTTY = isatty(fd);
  }

  /**
   * Waits for what is left to be read, and lets go of it then: a process must end though its output is not read.
   *
   * @param patience waits until it is aborted, where the output is all that is wanted; null waits a moment
   */
  async finish(patience: AbortSignal | null = null): Promise<void> {
    const limit = this.#clock.monotonic() + LAST_MS;
    const isOver = (): boolean => this.#clock.monotonic() >= limit && patience?.aborted !== false;
    while (this.writableLength > 0 && !isOver()) await this.#clock.sleep(FULL_PAUSE_MS);
    this.#over = true;
    this.#socket?.destroy();
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
    if (this.#socket !== null) return void this.#socket.write(chunk, () => done(null));
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

/** Written to as every other connection: a descriptor of its own cannot be had. It does not keep the process, and its errors have no reader. */
function asSocket(fd: number): Socket {
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => socket.destroy());
  socket.unref();
  return socket;
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
