import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStateFolder } from '../../src/standalone/state-folder.ts';

const run = promisify(execFile);
/** Another user, who may read the program all the same. */
const STRANGER = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];

let path: string;

beforeEach(async () => {
  path = await mkdtemp('/tmp/ccp-');
});

afterEach(async () => {
  await rm(path, { recursive: true, force: true });
});

describe('a state folder', () => {
  it('is opened though another user has taken the name of its lock while no process held it', async () => {
    const name = 'a'.repeat(32);
    await writeFile(join(path, 'lock'), name);
    const taking = `require('node:net').createServer().listen('\\0cccam-operator-${name}', () => console.log('taken'))`;
    const squatter = spawn('setpriv', [...STRANGER, process.execPath, '-e', taking], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(squatter.stdout, 'data');
      await openStateFolder(path);
      expect(await readFile(join(path, 'lock'), 'utf8')).not.toBe(name);
    } finally {
      squatter.kill('SIGKILL');
    }
  });

  it('is opened again where nothing can be written any more', async () => {
    await run('mount', ['-t', 'tmpfs', '-o', 'ro,mode=700', 'none', path]);
    try {
      await expect(openStateFolder(path)).rejects.toMatchObject({
        code: 'CCP_STATE_UNWRITABLE',
        remedy: expect.stringContaining('cannot be written'),
      });
      await run('mount', ['-o', 'remount,rw', path]);
      await writeFile(join(path, 'lock'), 'b'.repeat(32));
      await run('mount', ['-o', 'remount,ro', path]);
      await openStateFolder(path);
    } finally {
      await run('umount', [path]);
    }
  });
});
