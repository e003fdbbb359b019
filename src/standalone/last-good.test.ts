import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLastGood, keepLastGood } from './last-good.ts';

describe('the pool that was active last', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp('/tmp/ccp-');
    for (const name of ['a', 'b']) await mkdir(join(folder, name));
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  const keep = async (name: string, file: string, savedAt = '2026-01-01T00:00:00Z'): Promise<void> =>
    await keepLastGood(join(folder, name), { file, name, savedAt, text: `text of ${name}` });

  it('is found by the path of its file, in the state folder that is named or beside others', async () => {
    await keep('a', '/etc/a.yaml');
    await keep('b', '/etc/b.yaml');
    expect((await findLastGood('/etc/b.yaml', null, join(folder, 'any')))?.pool.text).toBe('text of b');
    expect((await findLastGood('/etc/a.yaml', join(folder, 'a'), join(folder, 'any')))?.pool.text).toBe('text of a');
    expect(await findLastGood('/etc/a.yaml', join(folder, 'b'), join(folder, 'any'))).toBeNull();
    expect(await findLastGood('/etc/c.yaml', null, join(folder, 'any'))).toBeNull();
  });

  it('is the latest where a file had pools of several names', async () => {
    await keep('a', '/etc/pool.yaml', '2026-01-01T00:00:00Z');
    await keep('b', '/etc/pool.yaml', '2026-02-01T00:00:00Z');
    expect((await findLastGood('/etc/pool.yaml', null, join(folder, 'any')))?.folder).toBe(join(folder, 'b'));
  });

  it('is none where nothing was kept, or what was kept cannot be read', async () => {
    expect(await findLastGood('/etc/a.yaml', null, '/nowhere/any')).toBeNull();
    for (const text of ['', '{', '{"version":2}', '[]']) {
      await writeFile(join(folder, 'a', 'pool.json'), text);
      expect(await findLastGood('/etc/a.yaml', null, join(folder, 'any'))).toBeNull();
    }
  });
});
