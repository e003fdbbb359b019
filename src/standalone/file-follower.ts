import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Bell, type Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { readPoolFile } from './pool-file.ts';

/** A writer that fills the file in place may be seen half-way: the text counts once size and time have stood still for so long. */
const SETTLE_MS = 50;
/** Another file in its place is nearly always complete: renamed over it, or written by an editor in one go. */
const NEW_FILE_SETTLE_MS = 5;
/** Longest wait for a writer that never stops. */
const SETTLE_LIMIT_MS = 1_000;
/** Network file systems tell nothing, so the file is looked at now and then all the same. */
const POLL_MS = 2_000;

/** What the follower hands on: another text, or that the file cannot be read now. */
export interface FollowerListener {
  readonly onText: (text: string) => void;
  readonly onError: (error: CccamError) => void;
}

/**
 * Follows a file until the signal is aborted: edits in place, renames over it as editors and `kubectl`-like tools do them, links
 * that are pointed elsewhere, and its disappearance. Each different text is handed on once.
 */
export async function followFile(
  path: string,
  first: string,
  listener: FollowerListener,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const bell = new Bell();
  const absolute = resolve(path);
  const watcher = watchFolder(dirname(absolute), basename(absolute), bell);
  let last: string | null = first;
  let lastInode = (await fingerprint(absolute)).inode;
  try {
    while (!signal.aborted) {
      await bell.wait(clock, POLL_MS, signal);
      if (signal.aborted) break;
      try {
        const { text, inode } = await readSettled(absolute, lastInode, clock, signal);
        lastInode = inode;
        if (text !== last) listener.onText(text);
        last = text;
      } catch (thrown) {
        if (!(thrown instanceof CccamError)) throw thrown;
        if (last !== null) listener.onError(thrown);
        last = null;
      }
    }
  } finally {
    watcher.close();
  }
}

/** Watches the folder, not the file: a file that is renamed over keeps its watch on the old one. */
function watchFolder(folder: string, name: string, bell: Bell): FSWatcher {
  const watcher = watch(folder, (_kind, changed) => {
    if (changed === null || changed === name || changed.startsWith('..')) bell.ring(); // `..data` is how mounted ConfigMaps swap
  });
  watcher.on('error', () => bell.ring()); // the folder is gone: the read that follows says so
  return watcher;
}

/** @param lastInode of the file that was read last, to tell another file from an edit in place */
async function readSettled(
  path: string,
  lastInode: bigint | null,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ text: string; inode: bigint | null }> {
  const limit = clock.monotonic() + SETTLE_LIMIT_MS;
  for (;;) {
    const before = await fingerprint(path);
    const text = await readPoolFile(path);
    const settleMs = before.inode === lastInode ? SETTLE_MS : NEW_FILE_SETTLE_MS;
    if (before.renamed || before.ageMs > settleMs) return { text, inode: before.inode };
    await clock.sleep(settleMs, signal);
    const after = await fingerprint(path);
    if (signal.aborted || before.mark === after.mark || clock.monotonic() > limit) return { text, inode: before.inode };
  }
}

interface Fingerprint {
  readonly mark: string;
  readonly inode: bigint | null;
  /** Renaming touches the inode after the last write: such a file was complete before it came here. */
  readonly renamed: boolean;
  readonly ageMs: number;
}

async function fingerprint(path: string): Promise<Fingerprint> {
  try {
    const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true });
    return { mark: `${ino} ${size} ${mtimeNs}`, inode: ino, renamed: ctimeNs > mtimeNs, ageMs: Date.now() - Number(mtimeNs / 1_000_000n) };
  } catch {
    return { mark: 'gone', inode: null, renamed: false, ageMs: 0 }; // removed between two looks; the next read reports it
  }
}
