/** `make demo`: the whole story in a network of its own, so that it can be cut without anybody else noticing. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const isRoot = process.getuid?.() === 0;
// Without root, the rights are those over this one network only.
const rights = isRoot ? [] : ['--user', '--map-current-user', '--keep-caps'];
const story = join(import.meta.dirname, 'demo-story.ts');
const { error, status } = spawnSync('unshare', [...rights, '--net', process.execPath, story], { stdio: 'inherit' });
if (error !== undefined) throw new Error('unshare (of util-linux) is needed to make a network', { cause: error });
if (status !== 0 && !isRoot) console.error('Where this user may not make a network, run it as root: sudo make demo');
process.exitCode = status ?? 1;
