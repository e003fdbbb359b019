import { appendFile, mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundLog } from './haproxy-log.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccp-log-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('boundLog', () => {
  it('puts a long log aside, and a program that has it open goes on at its beginning', async () => {
    const path = join(folder, 'haproxy.log');
    const writer = await open(path, 'a');
    await writer.write('x'.repeat(5_000_000));
    await boundLog(path);
    await writer.write('more\n');
    await writer.close();
    expect([await readFile(path, 'utf8'), (await stat(`${path}.1`)).size]).toEqual(['more\n', 5_000_000]);
  });

  it('shortens a log even where the one before it cannot be kept', async () => {
    const path = join(folder, 'haproxy.log');
    await appendFile(path, 'x'.repeat(5_000_000));
    await mkdir(`${path}.1`); // in the way of the copy
    await expect(boundLog(path)).rejects.toThrow();
    expect(await readFile(path, 'utf8')).toBe('');
  });

  it('leaves a short one as it is, and one that is not there', async () => {
    const path = join(folder, 'haproxy.log');
    await boundLog(path);
    await appendFile(path, 'short\n');
    await boundLog(path);
    expect(await readFile(path, 'utf8')).toBe('short\n');
    await expect(stat(`${path}.1`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
