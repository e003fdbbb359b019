import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';

/** Larger than any pool that the schema accepts; a file that grows past it is a mistake. */
export const MAX_BYTES = 131_072;

/**
 * The text of a pool file.
 *
 * @throws CccamError CCP_POOL_FILE_UNREADABLE with what is wrong and what to do
 */
export async function readPoolFile(path: string): Promise<string> {
  return decode(path, await readBytes(path));
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    // Without waiting: opening a FIFO would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size, ...kind } = await file
        .stat()
        .then((stat) => ({ size: stat.size, isFile: stat.isFile(), isFolder: stat.isDirectory() }));
      if (kind.isFolder) throw unreadable(path, 'it is a folder', 'Name the file in it.');
      if (!kind.isFile) throw unreadable(path, 'it is not a regular file', 'Name a regular file: a pipe or a device cannot be followed.');
      if (size > MAX_BYTES) throw tooLarge(path);
      const bytes = Buffer.alloc(MAX_BYTES + 1);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      if (bytesRead > MAX_BYTES) throw tooLarge(path);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof CccamError) throw thrown;
    const code = systemCode(thrown);
    throw unreadable(path, code ?? messageOf(thrown), HINTS[code ?? ''] ?? 'Name a YAML or JSON file with one CccamPool.', thrown);
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'There is no such file. Check the path, and that its file system is mounted.',
  EACCES: 'This user may not read it. Check the permissions of the file (chmod, chown) and of every folder above it.',
  EISDIR: 'It is a folder. Name the file in it.',
  ELOOP: 'Its links lead in a circle. Point them at a file.',
  ENOTDIR: 'A part of the path is not a folder. Check the path.',
  EIO: 'The disk or the network share cannot be read. Check it.',
  ESTALE: 'The network share has changed under it. Mount it again.',
};

function decode(path: string, bytes: Buffer): string {
  const wide = wideEncoding(bytes);
  if (wide !== null) throw unreadable(path, `it is written in ${wide}`, 'Save it as UTF-8.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    const line = bytes.subarray(0, firstInvalid(bytes)).filter((byte) => byte === 0x0a).length + 1;
    throw unreadable(path, `line ${line} has a byte that is not UTF-8, as in Latin-1 or Windows-1252`, 'Save it as UTF-8.', thrown);
  }
}

/** UTF-16 and UTF-32 by their mark, or by the zeros between letters. */
function wideEncoding(bytes: Buffer): string | null {
  const [first = 0, second = 0] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return 'UTF-16';
  return bytes.subarray(0, 64).includes(0) ? 'UTF-16 or another encoding with zero bytes' : null;
}

/** Index of the first byte that no UTF-8 text has there. */
function firstInvalid(bytes: Buffer): number {
  let low = 0;
  let high = bytes.length;
  const valid = (end: number): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false; // which is what is asked
    }
  };
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (valid(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Without its size: of a file that grows each would be another message. */
function tooLarge(path: string): CccamError {
  return unreadable(path, `it has more than ${MAX_BYTES} bytes`, 'Check that it is the right file: no pool is so large.');
}

function unreadable(path: string, message: string, remedy: string, cause?: unknown): CccamError {
  return new CccamError('CCP_POOL_FILE_UNREADABLE', { subject: printable(path), message, remedy, retryable: true, cause });
}
