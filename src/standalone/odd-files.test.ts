import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FINE_FILE } from '../../test/fakes/odd-file.ts';
import { ODD_FILES } from '../../test/fakes/odd-files.ts';
import { CccamError } from '../runtime/errors.ts';
import { isOwnAddress } from './own-addresses.ts';
import { type FileIssue, parsePoolFile } from './pool-file.ts';
import { reason } from './pool-source.ts';
import { readPoolFile } from './pool-text.ts';

describe('a file that is not fine', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp('/tmp/ccp-');
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  /** What is said about a file. */
  async function complaints(bytes: Uint8Array): Promise<readonly FileIssue[]> {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, bytes);
    try {
      const reading = parsePoolFile(await readPoolFile(path), (address) => isOwnAddress('0.0.0.0', address));
      return reading.kind === 'refused' ? reading.issues : [];
    } catch (thrown) {
      if (!(thrown instanceof CccamError)) throw thrown;
      return [{ line: null, field: 'pool', message: reason(thrown) }];
    }
  }

  it('is one of a hundred kinds at least, beside one that is fine', async () => {
    expect(ODD_FILES.length).toBeGreaterThanOrEqual(100);
    expect(await complaints(Buffer.from(FINE_FILE))).toEqual([]);
  });

  it.each(ODD_FILES)('is told where, what was expected and what to do: $what', async ({ bytes, expected, field, line, remedy }) => {
    const [first, ...more] = await complaints(bytes);
    expect(first, 'it is refused').toBeDefined();
    const text = `${first?.line} ${first?.field}: ${first?.message}`;
    expect([first?.line, first?.field], text).toEqual([line, field]);
    expect(first?.message).toMatch(expected);
    expect(first?.message).toMatch(remedy);
    for (const message of [first, ...more].map((issue) => issue?.message)) {
      expect(message).not.toMatch(/undefined|\[object|Invalid input|report it/i);
      expect(message?.length).toBeLessThan(520);
    }
  });
});
