import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lines } from '../../src/runtime/lines.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const IMAGE = 'cccam-operator:test';
/** Runs one program of another machine, and needs nothing of this one's kernel. */
const EMULATOR = 'qemu-aarch64-static';

interface Image {
  /** Folder with what a container of it would see. */
  readonly root: string;
  readonly architecture: string;
  readonly config: { readonly User: string; readonly Entrypoint: readonly string[]; readonly Labels: Readonly<Record<string, string>> };
  /** Names its layers by what is in them, from the base on. */
  readonly layers: readonly string[];
}

/** As `scripts/provenance.ts` writes it, so far as it is read here. */
interface Provenance {
  readonly subject: readonly unknown[];
  readonly predicate: {
    readonly buildDefinition: {
      readonly externalParameters: { readonly platform: string };
      readonly resolvedDependencies: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[];
    };
  };
}

let folder: string;
let native: Image;
let foreign: Image;
let agent: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccp-image-'));
  native = await unpacked('native', {});
  foreign = await unpacked('foreign', { CCCAM_PLATFORM: 'linux/arm64' });
}, 300_000);

afterAll(async () => {
  agent?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Builds this checkout's image, of which most is there already, and unpacks it. */
async function unpacked(name: string, platform: Record<string, string>): Promise<Image> {
  const [archive, root] = [join(folder, `${name}-archive`), join(folder, name)];
  await Promise.all([mkdir(archive), mkdir(root)]);
  const bases = process.env['CCCAM_BASES'] ?? 'debian';
  const env = { ...process.env, CCCAM_BASES: bases, CCCAM_PROVENANCE: join(folder, `${name}.json`), ...platform };
  await run('scripts/image.sh', [IMAGE], { env });
  const { stdout } = await run('scripts/image-archive.sh', [IMAGE], { env });
  await run('tar', ['-xf', stdout.trim(), '-C', archive]);
  const [manifest] = JSON.parse(await readFile(join(archive, 'manifest.json'), 'utf8')) as [{ Config: string; Layers: string[] }];
  for (const layer of manifest.Layers) await run('tar', ['-xf', join(archive, layer), '-C', root, '--exclude=./dev/*']);
  const { architecture, config, rootfs } = JSON.parse(await readFile(join(archive, manifest.Config), 'utf8')) as {
    architecture: string;
    config: Image['config'];
    rootfs: { diff_ids: string[] };
  };
  return { root, architecture, config, layers: rootfs.diff_ids };
}

/** Starts a command as the image for the other machine would. */
function start(...words: string[]): ChildProcess {
  const entrypoint = foreign.config.Entrypoint.map((word) => (word.startsWith('/') ? join(foreign.root, word) : word));
  return spawn(EMULATOR, ['-L', foreign.root, ...entrypoint, ...words], { stdio: 'pipe' });
}

/** What comes of a command that ends by itself. */
async function outcome(...words: string[]): Promise<{ status: unknown; said: string; errors: string }> {
  const child = start(...words);
  const heard = { said: '', errors: '' };
  child.stdout?.on('data', (bytes: Buffer) => {
    heard.said += bytes.toString();
  });
  child.stderr?.on('data', (bytes: Buffer) => {
    heard.errors += bytes.toString();
  });
  const [status] = await once(child, 'close');
  return { status, ...heard };
}

describe('the image', () => {
  it('runs as a user without a name, and has no shell', async () => {
    expect(native.config.User).toBe('65532:65532');
    await expect(run('chroot', [native.root, '/bin/sh', '-c', 'true'])).rejects.toThrow(/No such file/);
  });

  it('has the same program for both kinds of machine, byte for byte, though each was built by itself', () => {
    expect([native.architecture, foreign.architecture]).toEqual(['amd64', 'arm64']);
    expect(foreign.config).toEqual(native.config);
    expect(foreign.layers.at(-1)).toBe(native.layers.at(-1));
    expect(foreign.layers.at(0)).not.toBe(native.layers.at(0));
  });

  it('tells the version that it is labelled with, and the commit that it was built from', async () => {
    const { stdout: commit } = await run('git', ['rev-parse', 'HEAD']).catch(() => ({ stdout: 'unknown' }));
    expect(native.config.Labels['org.opencontainers.image.revision']).toBe(commit.trim());
    expect((await outcome('--version')).said).toBe(`${foreign.config.Labels['org.opencontainers.image.version']}\n`);
  });

  it('comes with what it was made from: commit, dependencies and both base images by digest', async () => {
    const statement = JSON.parse(await readFile(join(folder, 'foreign.json'), 'utf8')) as Provenance;
    const { externalParameters, resolvedDependencies } = statement.predicate.buildDefinition;
    expect(statement.subject).toEqual([{ name: IMAGE, digest: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } }]);
    expect(externalParameters.platform).toBe('linux/arm64');
    const { stdout: commit } = await run('git', ['rev-parse', 'HEAD']);
    const lockfile = createHash('sha256')
      .update(await readFile('package-lock.json'))
      .digest('hex');
    expect(resolvedDependencies.slice(0, 2)).toEqual([
      { name: 'sources', digest: { gitCommit: commit.trim() } },
      { name: 'package-lock.json', digest: { sha256: lockfile } },
    ]);
    const bases = resolvedDependencies.slice(2);
    expect(bases.map(({ name }) => name)).toEqual([expect.stringMatching(/^node:24/), expect.stringMatching(/nodejs24/)]);
    expect(new Set(bases.map(({ digest }) => digest['sha256'])).size).toBe(2);
  });

  it('tells what is in it, with the licences, and has nothing of what a pod never loads', async () => {
    const app = join(native.root, 'app');
    const sbom = JSON.parse(await readFile(join(app, 'sbom.cdx.json'), 'utf8')) as { components: { name: string; licenses: unknown[] }[] };
    const names = sbom.components.map(({ name }) => name);
    for (const name of ['@kubernetes/client-node', 'pino', 'prom-client', 'yaml', 'zod']) expect(names).toContain(name);
    expect(sbom.components.every(({ licenses }) => licenses.length > 0)).toBe(true);
    expect(names).not.toContain('jsonpath-plus');
    expect(await readFile(join(app, 'THIRD-PARTY-NOTICES.txt'), 'utf8')).toContain('Permission is hereby granted');
  });

  it.each([
    { words: ['operator', '--kubeconfig', '/none'], code: 'CCP_CLUSTER_UNKNOWN' },
    { words: ['proxy-agent', '--config-map', 'p', '--run-dir', tmpdir()], code: 'CCP_CLUSTER_UNKNOWN' },
    { words: ['run', '--file', '/none', '--haproxy', '/none'], code: 'CCP_POOL_FILE_UNREADABLE' },
  ])('for arm64 loads what it needs for `$words.0`', async ({ words, code }) => {
    const { status, errors } = await outcome(...words);
    expect(status).toBe(1);
    expect(errors).toContain(code);
  });

  it('for arm64 has an agent that listens, answers and ends when it is asked to', async () => {
    agent = start('backend-agent', '--port', '12000', '--http', '127.0.0.1:0');
    if (agent.stdout === null) throw new Error('it says nothing');
    const first = await lines(agent.stdout, 4_096).next();
    const { http, msg } = JSON.parse(String(first.value)) as { http: number; msg: string };
    expect(msg).toBe('listening');
    await until('it has counted sockets', async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
      return metrics.includes('cccam_backend_sockets{state="established"} 0');
    });
    agent.kill('SIGTERM');
    expect(await once(agent, 'close')).toEqual([0, null]);
  });
});
