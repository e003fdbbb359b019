import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { readIfThere, replaceFile } from '../haproxy/config-file.ts';
import { CccamError } from '../runtime/errors.ts';

const FILE = 'pool.json';
const kept = z.object({ version: z.literal(1), file: z.string(), name: z.string(), savedAt: z.string(), text: z.string() });

/** A pool that was active, as its file was written. */
export interface LastGood {
  /** Absolute path of the file. */
  readonly file: string;
  /** Name of the pool. */
  readonly name: string;
  /** When it came into force, RFC 3339. */
  readonly savedAt: string;
  readonly text: string;
}

/** A pool that was kept, and the state folder that it was found in. */
export interface FoundPool {
  readonly folder: string;
  readonly pool: LastGood;
}

/** Keeps a pool that has come into force, for a start with a file that is broken or gone. @throws CccamError CCP_STATE_UNWRITABLE */
export async function keepLastGood(folder: string, pool: LastGood): Promise<void> {
  await replaceFile(join(folder, FILE), `${JSON.stringify({ version: 1, ...pool, file: resolve(pool.file) })}\n`);
}

/**
 * Looks for the last valid pool of a file.
 *
 * @param folder the state folder, where that is known without reading the file
 * @param usual a state folder of any pool, where it is not: its neighbours are looked through
 * @returns the latest, or null
 */
export async function findLastGood(file: string, folder: string | null, usual: string): Promise<FoundPool | null> {
  const found: FoundPool[] = [];
  for (const candidate of folder === null ? await foldersIn(dirname(usual)) : [folder]) {
    const pool = await readLastGood(candidate);
    if (pool !== null && pool.file === resolve(file)) found.push({ folder: candidate, pool });
  }
  return found.sort((a, b) => (a.pool.savedAt < b.pool.savedAt ? 1 : -1))[0] ?? null;
}

async function readLastGood(folder: string): Promise<LastGood | null> {
  try {
    const text = await readIfThere(join(folder, FILE));
    return text === null ? null : kept.parse(JSON.parse(text));
  } catch (thrown) {
    if (thrown instanceof CccamError || thrown instanceof SyntaxError || thrown instanceof z.ZodError) return null; // as good as none
    throw thrown;
  }
}

async function foldersIn(parent: string): Promise<string[]> {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []); // no pool has ever run here
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(parent, entry.name));
}
