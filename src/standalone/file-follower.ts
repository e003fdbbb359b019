import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { Bell, type Clock } from '../runtime/clock.ts';
import { CccamError, systemCode } from '../runtime/errors.ts';
import { type FileLook, FileLooker } from './file-look.ts';

/** A writer that fills the file in place may be seen half-way: the text counts once size and time have stood still for so long. */
const SETTLE_MS = 50;
/** Another file in its place is nearly always complete: renamed over it, or written by an editor in one go. */
const NEW_FILE_SETTLE_MS = 5;
/** A text that looks unfinished counts only once its writer has paused for so long. */
const UNFINISHED_SETTLE_MS = 2_000;
const UNFINISHED_LOOK_MS = 100;
/** Longest wait for a writer that never stops. */
const SETTLE_LIMIT_MS = 10_000;
/** Network file systems tell nothing, so the file is looked at now and then all the same. */
const POLL_MS = 2_000;

/** What the follower hands on: another text, or that the file cannot be read now. */
export interface FollowerListener {
  readonly onText: (text: string) => void;
  readonly onError: (error: CccamError) => void;
  /** Whether a text may be half of a write. */
  readonly looksUnfinished: (text: string) => boolean;
}

/** What is followed. */
export interface Following {
  readonly path: string;
  /** What it said when it was read before; null where it could not be read. */
  readonly first: string | null;
  readonly listener: FollowerListener;
  readonly clock: Clock;
  readonly looker?: FileLooker;
}

/**
 * Follows a file until the signal is aborted: edits in place, renames over it as editors and `kubectl`-like tools do them, links
 * that are pointed elsewhere, and its disappearance. Each different text is handed on once.
 */
export async function followFile(following: Following, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const folder = new FolderWatch(resolve(following.path), bell);
  const follower = new Follower(following, () => folder.movedIn);
  try {
    while (!signal.aborted) {
      folder.watch();
      await follower.turn(signal);
      await bell.wait(following.clock, POLL_MS, signal);
    }
  } finally {
    folder.close();
  }
}

/** Knows what was handed on. */
class Follower {
  readonly #listener: FollowerListener;
  readonly #clock: Clock;
  readonly #looker: FileLooker;
  readonly #movedIn: () => boolean;
  /** The text that is known; null where the file could not be read. */
  #text: string | null;
  #inode: bigint | null = null;
  #error: string | null = null;

  /** @param movedIn whether the file that is there now was moved there as a whole */
  constructor({ clock, first, listener, looker, path }: Following, movedIn: () => boolean) {
    this.#listener = listener;
    this.#clock = clock;
    this.#looker = looker ?? new FileLooker(resolve(path), clock);
    this.#text = first;
    this.#movedIn = movedIn;
  }

  /** Looks once, and hands on what is new. */
  async turn(signal: AbortSignal): Promise<void> {
    try {
      const { inode, text } = await this.#readSettled(signal);
      if (signal.aborted) return;
      this.#inode = inode;
      this.#error = null;
      if (text !== this.#text) this.#listener.onText(text);
      this.#text = text;
    } catch (thrown) {
      if (!(thrown instanceof CccamError)) throw thrown;
      if (!signal.aborted) this.#fail(thrown);
    }
  }

  /** One that could not be read in the first place is no news until it is another trouble. */
  #fail(error: CccamError): void {
    const isNew = this.#text !== null || (this.#error !== null && this.#error !== error.message);
    if (isNew) this.#listener.onError(error);
    this.#error = error.message;
    this.#text = null;
  }

  async #readSettled(signal: AbortSignal): Promise<FileLook> {
    const begun = this.#clock.monotonic();
    let mark = '';
    let since = begun;
    for (;;) {
      const seen = await this.#looker.look(signal);
      const now = this.#clock.monotonic();
      if (seen.mark !== mark) since = now;
      mark = seen.mark;
      const settleMs = this.#settleMs(seen);
      if (signal.aborted || seen.ageMs > settleMs || now - since >= settleMs || now - begun > SETTLE_LIMIT_MS) return seen;
      await this.#clock.sleep(Math.min(settleMs - (now - since), UNFINISHED_LOOK_MS), signal);
    }
  }

  /** How long a file must stand still to be taken. */
  #settleMs({ inode, renamed, text }: FileLook): number {
    if (text === this.#text || renamed) return 0;
    const isNew = inode !== this.#inode;
    if (isNew && text !== '' && this.#movedIn()) return NEW_FILE_SETTLE_MS;
    if (this.#listener.looksUnfinished(text)) return UNFINISHED_SETTLE_MS;
    return isNew ? NEW_FILE_SETTLE_MS : SETTLE_MS;
  }
}

/** Watches the folder, not the file: a file that is renamed over keeps its watch on the old one. */
class FolderWatch {
  readonly #path: string;
  readonly #bell: Bell;
  #watcher: FSWatcher | null = null;
  /**
   * Whether the file came to its name and was not written since: one that is made there is. Times of files are too coarse to tell, where
   * it was renamed within some milliseconds.
   */
  movedIn = false;

  constructor(path: string, bell: Bell) {
    this.#path = path;
    this.#bell = bell;
  }

  /** Watches, where that is possible now; else the file is looked at now and then. */
  watch(): void {
    if (this.#watcher !== null) return;
    const name = basename(this.#path);
    try {
      const watcher = watch(dirname(this.#path), (kind, changed) => {
        if (changed === name) this.movedIn = kind === 'rename';
        if (changed === null || changed === name || changed.startsWith('..')) this.#bell.ring(); // `..data` is how mounted ConfigMaps swap
      });
      watcher.on('error', () => this.close()); // the folder is gone
      this.#watcher = watcher;
    } catch (thrown) {
      if (systemCode(thrown) === undefined) throw thrown;
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.movedIn = false;
    this.#bell.ring();
  }
}
