import { CccamError } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { findLastGood } from './last-good.ts';
import { type FileIssue, type FileReading, parsePoolFile, refusalError } from './pool-file.ts';
import { readPoolFile } from './pool-text.ts';
import { defaultStateFolder } from './state-folder.ts';

/** A file with a valid pool. */
export type PoolReading = Extract<FileReading, { kind: 'pool' }>;

/** The pool that a start goes on with. */
export interface FirstPool {
  readonly text: string;
  readonly reading: PoolReading;
  readonly stateDir: string;
  /** What the file says now; null where it could not be read. */
  readonly seen: string | null;
  /** Why an earlier pool serves instead of what is in the file, or null. */
  readonly fallback: { readonly savedAt: string; readonly issues: readonly FileIssue[] } | null;
}

/** Where a pool comes from. */
export interface PoolSource {
  readonly file: string;
  /** State folder, or null for the usual one. */
  readonly stateDir: string | null;
  /** Whether the last valid pool may serve where the file is invalid or gone. */
  readonly mayFallBack: boolean;
  readonly own: (address: string) => boolean;
}

/**
 * Reads the pool to start with: that of the file or, where the file is invalid or gone, the last valid one. After a reboot
 * something must serve.
 *
 * @throws CccamError CCP_POOL_FILE_UNREADABLE, CCP_POOL_INVALID or CCP_POOL_UNSUPPORTED where there is none
 */
export async function firstPool(source: PoolSource): Promise<FirstPool> {
  const tried = await tryFile(source);
  if (tried.kind === 'pool') return tried.first;
  const found = source.mayFallBack ? await findLastGood(source.file, source.stateDir, defaultStateFolder('any')) : null;
  if (found === null) throw tried.error;
  const reading = parsePoolFile(found.pool.text, source.own);
  if (reading.kind === 'refused') throw tried.error;
  const fallback = { savedAt: found.pool.savedAt, issues: tried.issues };
  return { text: found.pool.text, reading, stateDir: found.folder, seen: tried.seen, fallback };
}

type Tried =
  | { readonly kind: 'pool'; readonly first: FirstPool }
  | { readonly kind: 'broken'; readonly error: CccamError; readonly issues: readonly FileIssue[]; readonly seen: string | null };

async function tryFile({ file, own, stateDir }: PoolSource): Promise<Tried> {
  let text: string;
  try {
    text = await readPoolFile(file);
  } catch (thrown) {
    if (!(thrown instanceof CccamError)) throw thrown;
    return { kind: 'broken', error: thrown, issues: [{ line: null, field: 'pool', message: reason(thrown) }], seen: null };
  }
  const reading = parsePoolFile(text, own);
  if (reading.kind === 'refused') return { kind: 'broken', error: refusalError(file, reading), issues: reading.issues, seen: text };
  const folder = stateDir ?? defaultStateFolder(reading.parsed.pool.metadata.name);
  return { kind: 'pool', first: { text, reading, stateDir: folder, seen: text, fallback: null } };
}

/** What an error says, without the name of the file, which stands in front of it anyway. */
export function reason(error: CccamError): string {
  return printable(`${error.message.slice(error.subject.length + 2)}. ${error.remedy}`, 500);
}
