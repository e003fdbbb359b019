import { stat } from 'node:fs/promises';
import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { readPoolFile } from './pool-text.ts';

/** A file system that has not answered for so long is away: a network share, most of the time. */
const ANSWER_LIMIT_MS = 10_000;

/** A file as it stands in this moment. */
export interface FileLook {
  readonly text: string;
  /** Another one after each write. */
  readonly mark: string;
  readonly inode: bigint | null;
  /** Renaming touches the inode after the last write: such a file was complete before it came here. */
  readonly renamed: boolean;
  /** Milliseconds since the last write. */
  readonly ageMs: number;
}

/** Looks at a file without ever being held up by it: a look that is not answered is given up, and no second one is begun meanwhile. */
export class FileLooker {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #take: (path: string, clock: Clock) => Promise<FileLook>;
  #pending: Promise<FileLook> | null = null;

  /** @param take looks at a file; a test hands in one that is not answered */
  constructor(path: string, clock: Clock, take = lookAt) {
    this.#path = path;
    this.#clock = clock;
    this.#take = take;
  }

  /** @throws CccamError CCP_POOL_FILE_UNREADABLE, also where nothing has come in time or the signal was aborted */
  async look(signal?: AbortSignal): Promise<FileLook> {
    this.#pending ??= this.#take(this.#path, this.#clock).finally(() => {
      this.#pending = null;
    });
    const done = new AbortController();
    const stop = (): void => done.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const found = await Promise.race([this.#pending, this.#limit(done.signal, signal)]);
      if (found !== null) return found;
    } finally {
      signal?.removeEventListener('abort', stop);
      stop();
    }
    throw new CccamError('CCP_POOL_FILE_UNREADABLE', {
      subject: printable(this.#path),
      message: `its file system has not answered for ${ANSWER_LIMIT_MS / 1_000} s`,
      remedy: 'Check the network share that it is on. It is read as soon as it answers.',
      retryable: true,
    });
  }

  async #limit(done: AbortSignal, signal: AbortSignal | undefined): Promise<null> {
    if (signal?.aborted !== true) await this.#clock.sleep(ANSWER_LIMIT_MS, done);
    return null;
  }
}

async function lookAt(path: string, clock: Clock): Promise<FileLook> {
  const before = await fingerprint(path, clock);
  return { ...before, text: await readPoolFile(path) };
}

async function fingerprint(path: string, clock: Clock): Promise<Omit<FileLook, 'text'>> {
  try {
    const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
    return {
      mark: `${ino} ${size} ${mtimeNs}`,
      inode: ino,
      renamed: ctimeNs > mtimeNs,
      ageMs: clock.wall() - Number(mtimeNs / 1_000_000n),
    };
  } catch {
    return { mark: 'gone', inode: null, renamed: false, ageMs: 0 }; // the read that follows says why
  }
}
