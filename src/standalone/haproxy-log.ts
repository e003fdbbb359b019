import { copyFile, rm, stat, truncate } from 'node:fs/promises';
import { systemCode } from '../runtime/errors.ts';

/** HAProxy writes a line for each change of a server and some for each reload: this is months of them. */
const MOST_BYTES = 4 * 1_048_576;

/**
 * Keeps HAProxy's log, and the one before it beside it, from growing without end. HAProxy appends, so it goes on in the empty file. Where there
 * is no room for the one before it, that one is lost: a full disk is no reason to fill it further.
 *
 * @returns whether it was too long
 */
export async function boundLog(path: string): Promise<boolean> {
  const size = await stat(path).then(
    (found) => found.size,
    (thrown: unknown) => {
      if (systemCode(thrown) === 'ENOENT') return 0;
      throw thrown;
    },
  );
  if (size <= MOST_BYTES) return false;
  try {
    await copyFile(path, `${path}.1`);
  } catch (thrown) {
    if (systemCode(thrown) !== 'ENOSPC') throw thrown;
    await rm(`${path}.1`, { force: true });
  } finally {
    await truncate(path);
  }
  return true;
}
