import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { throughout, until } from '../../test/support/until.ts';
import { systemClock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { followFile } from './file-follower.ts';

describe('followFile', () => {
  let folder = '';
  let end = new AbortController();
  let following: Promise<void> = Promise.resolve();
  const texts: string[] = [];
  const errors: string[] = [];
  let unfinished = (_text: string): boolean => false;

  beforeEach(async () => {
    folder = await mkdtemp('/tmp/ccp-');
    end = new AbortController();
    texts.length = 0;
    errors.length = 0;
    unfinished = () => false;
  });
  afterEach(async () => {
    end.abort();
    await following;
    await rm(folder, { recursive: true, force: true });
  });

  function follow(path: string, first: string): void {
    const listener = {
      onText: (text: string): void => void texts.push(text),
      onError: (error: CccamError): void => void errors.push(error.code),
      looksUnfinished: (text: string): boolean => unfinished(text),
    };
    following = followFile({ path, first, listener, clock: systemClock }, end.signal);
  }

  it('hands on edits in place and files renamed over it, each text once', async () => {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, 'one');
    follow(path, 'one');
    await writeFile(path, 'two');
    await until('the edit in place', () => texts.at(-1) === 'two');
    await writeFile(join(folder, 'draft'), 'three');
    await rename(join(folder, 'draft'), path);
    await until('the rename', () => texts.at(-1) === 'three');
    await writeFile(path, 'three');
    await writeFile(join(folder, 'other'), 'noise');
    await writeFile(path, 'four');
    await until('the next edit', () => texts.at(-1) === 'four');
    expect(texts).toEqual(['two', 'three', 'four']);
  });

  it('waits for a slow writer to finish', async () => {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, 'x');
    follow(path, 'x');
    await writeFile(path, '');
    for (let part = 0; part < 40; part += 1) await appendFile(path, `${part}\n`);
    const whole = Array.from({ length: 40 }, (_, part) => `${part}\n`).join('');
    await until('the whole text', () => texts.at(-1) === whole);
    expect(texts.length).toBeLessThanOrEqual(3);
  });

  it('waits longer where a text looks unfinished, and takes it when nothing more comes', async () => {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, 'one\n');
    unfinished = (text) => !text.endsWith('\n');
    follow(path, 'one\n');
    await writeFile(path, 'two');
    await throughout('nothing is taken', 500, () => texts.length === 0);
    await appendFile(path, ' and a half\n');
    await until('the whole text', () => texts.length > 0);
    expect(texts).toEqual(['two and a half\n']);
    await writeFile(path, 'three');
    const tookMs = await until('the writer had nothing more to say', () => texts.length > 1);
    expect(texts[1]).toBe('three');
    expect(tookMs).toBeGreaterThan(1_000);
  });

  it('outlives the folder, too', async () => {
    await mkdir(join(folder, 'etc'));
    const path = join(folder, 'etc', 'pool.yaml');
    await writeFile(path, 'one');
    follow(path, 'one');
    await rm(join(folder, 'etc'), { recursive: true });
    await until('it is reported', () => errors.length === 1);
    await mkdir(join(folder, 'etc'));
    await writeFile(path, 'two');
    await until('it is back', () => texts.at(-1) === 'two');
  });

  it('follows a link that is pointed elsewhere, as mounted ConfigMaps are', async () => {
    await mkdir(join(folder, 'v1'));
    await mkdir(join(folder, 'v2'));
    await writeFile(join(folder, 'v1', 'pool.yaml'), 'one');
    await writeFile(join(folder, 'v2', 'pool.yaml'), 'two');
    await symlink('v1', join(folder, '..data'));
    await symlink('..data/pool.yaml', join(folder, 'pool.yaml'));
    follow(join(folder, 'pool.yaml'), 'one');
    await symlink('v2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until('the new version', () => texts.at(-1) === 'two');
  });

  it('reports once that the file is gone, and goes on when it is back', async () => {
    const path = join(folder, 'pool.yaml');
    await writeFile(path, 'one');
    follow(path, 'one');
    await rm(path);
    await until('it is reported', () => errors.length === 1);
    await writeFile(path, 'one');
    await until('it is back', () => texts.at(-1) === 'one');
    expect(errors).toEqual(['CCP_POOL_FILE_UNREADABLE']);
  });
});
