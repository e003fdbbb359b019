import { execFile } from 'node:child_process';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';

const run = promisify(execFile);

/**
 * Replaces a file as a whole: a reader finds the old text or the new one, after a crash too.
 *
 * @throws CccamError CCP_STATE_UNWRITABLE; the old file is untouched then
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw new CccamError('CCP_STATE_UNWRITABLE', {
      subject: path,
      message: `cannot be written (${systemCode(thrown) ?? messageOf(thrown)})`,
      remedy: 'Free some space, or correct the permissions. HAProxy keeps running, and it is written again soon.',
      retryable: true,
      cause: thrown,
    });
  }
}

/** The text of a file, or null where there is none. @throws CccamError CCP_STATE_UNREADABLE */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return null;
    throw new CccamError('CCP_STATE_UNREADABLE', {
      subject: path,
      message: `cannot be read (${systemCode(thrown) ?? messageOf(thrown)})`,
      remedy: 'Correct the permissions.',
      cause: thrown,
    });
  }
}

/**
 * Lets `haproxy -c` read a configuration.
 *
 * @throws CccamError CCP_HAPROXY_CONFIG_REFUSED with HAProxy's own first complaint
 */
export async function checkConfig(binary: string, path: string): Promise<void> {
  try {
    await run(binary, ['-c', '-f', path], { timeout: 10_000 });
  } catch (thrown) {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : '';
    const output = said.trim() === '' ? messageOf(thrown) : said; // a binary that is gone says nothing itself
    const complaint = output.split('\n').find((line) => line.includes('[ALERT]')) ?? output.split('\n')[0] ?? '';
    throw new CccamError('CCP_HAPROXY_CONFIG_REFUSED', {
      subject: path,
      message: printable(complaint),
      remedy: 'HAProxy keeps running. Please report it, with the pool.',
      retryable: !output.includes('[ALERT]'), // it could not even be asked: no memory, no time, the binary being replaced
      cause: thrown,
    });
  }
}
