import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { isAlive } from '../../src/haproxy/supervisor.ts';
import { ASSETS, TOOLS } from '../api-server/control-plane.ts';
import { until } from '../support/until.ts';
import { makeGroups, removeGroups } from './cgroups.ts';
import { CNI, CONTAINERD, KUBELET, PAUSE } from './node-config.ts';
import { networkOf, type Process, processes } from './processes.ts';

const run = promisify(execFile);
const CACHE = process.env['CCCAM_CACHE'] ?? `${process.env['HOME']}/.cache/cccam-operator`;
const SCRIPTS = join(import.meta.dirname, '../../scripts');
const UP_LIMIT_MS = 120_000;

/** Parts of the node that a test may end or stop; each is started again by itself. */
export type Part = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'containerd' | 'kubelet' | 'kube-proxy';

/**
 * A real Kubernetes of one node, alone in namespaces of its own: etcd, API server, controller manager, scheduler, containerd, kubelet and
 * kube-proxy. Everything that it keeps is in one folder; everything that runs ends with one process.
 */
export class Cluster {
  readonly folder: string;

  /** @param folder holds everything; another folder is another cluster */
  constructor(folder = process.env['CCCAM_CLUSTER'] ?? join(CACHE, 'cluster')) {
    this.folder = folder;
  }

  /** The machine's end of the cable between the two. */
  get hostAddress(): string {
    return `10.${this.#number}.0.1`;
  }

  /** Where the API server and node ports are. */
  get nodeAddress(): string {
    return `10.${this.#number}.0.2`;
  }

  /** An address of this machine for a client of its own; after a thousand clients the first ones are given again. */
  clientAddress(index: number): string {
    const place = index % 1_000;
    return `10.${this.#number}.${100 + (place >> 8)}.${place & 255}`;
  }

  get kubeconfig(): string {
    return join(this.folder, 'admin.kubeconfig');
  }

  get containerdSocket(): string {
    return join(this.folder, 'node/run/containerd/containerd.sock');
  }

  /** Different for each folder, so that two clusters do not share an address. */
  get #number(): number {
    return 150 + ((createHash('sha256').update(this.folder).digest()[0] ?? 0) % 100);
  }

  /** Brings the cluster up, whatever an earlier run has left. Takes seconds. */
  async up(): Promise<void> {
    if (process.getuid?.() !== 0) throw new Error('the test cluster needs root: it makes namespaces and runs containers');
    await this.down();
    await this.#writeFiles();
    await makeGroups(this.#group);
    const child = spawn(
      'unshare',
      [
        '--fork',
        '--kill-child',
        '--pid',
        '--mount',
        '--net',
        '--mount-proc',
        '--propagation=private',
        join(import.meta.dirname, 'init.sh'),
        this.folder,
        ASSETS,
        TOOLS,
        this.hostAddress,
        this.nodeAddress,
        this.#clientNetwork,
      ],
      { detached: true, stdio: 'ignore' },
    );
    child.unref();
    await this.#connect(child);
    await until(
      'the node is ready',
      async () => await this.#isReady(),
      UP_LIMIT_MS,
      () => `see ${this.folder}/log`,
    );
    await this.importImage(PAUSE);
  }

  /** Ends everything and removes what it has left, on disk too. */
  async down(): Promise<void> {
    for (const pid of await this.#first()) {
      process.kill(pid, 'SIGKILL');
      await until('the cluster has ended', () => !isAlive(pid));
    }
    // With the first process of their namespace all others are told to end, and their mounts with them.
    await until('its processes have ended', async () => (await this.#processes()).length === 0, 30_000);
    await run('ip', ['link', 'delete', this.#cable]).catch(() => undefined); // gone with the namespace in most cases
    await run('ip', ['route', 'delete', 'local', this.#clientNetwork, 'dev', 'lo']).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
    await removeGroups(this.#group);
  }

  /** Whether it is up. */
  async isUp(): Promise<boolean> {
    return (await this.#first()).length > 0 && (await this.#isReady());
  }

  async kubectl(...args: string[]): Promise<string> {
    const { stdout } = await run(join(TOOLS, 'kubectl'), ['--kubeconfig', this.kubeconfig, ...args], { timeout: 300_000, maxBuffer: 1e8 });
    return stdout;
  }

  /** `kubectl apply` of a text. @returns what it prints, warnings too */
  async applyText(text: string, ...args: string[]): Promise<string> {
    const file = join(this.folder, `apply-${randomBytes(4).toString('hex')}.yaml`);
    await writeFile(file, text);
    const { stdout, stderr } = await run(join(TOOLS, 'kubectl'), ['--kubeconfig', this.kubeconfig, 'apply', '-f', file, ...args]);
    await rm(file);
    return stdout + stderr;
  }

  async helm(...args: string[]): Promise<string> {
    const folder = join(this.folder, 'helm');
    const env = { ...process.env, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
    const { stdout } = await run(join(TOOLS, 'helm'), ['--kubeconfig', this.kubeconfig, ...args], { timeout: 300_000, env });
    return stdout;
  }

  /** Hands an image to the node, by the name that it has where images are built. */
  async importImage(name: string): Promise<void> {
    const { stdout: archive } = await run(join(SCRIPTS, 'image-archive.sh'), [name]);
    await this.#images('import', archive.trim());
  }

  /** Gives an image on the node another name. */
  async tagImage(name: string, other: string): Promise<void> {
    await this.#images('tag', `docker.io/library/${name}`, `docker.io/library/${other}`);
  }

  async #images(...args: string[]): Promise<void> {
    await run('ctr', ['--address', this.containerdSocket, '--namespace', 'k8s.io', 'images', ...args], { timeout: 120_000 });
  }

  /** The last lines of a part's log that matter. */
  async logLines(part: Part, matters: (line: string) => boolean): Promise<string[]> {
    const text = await readFile(join(this.folder, 'log', `${part}.log`), 'utf8');
    return text.split('\n').filter(matters).slice(-60);
  }

  /** Ends a part at once; it is started again after a moment, or by `release` where it is held. */
  async kill(part: Part, hold = false): Promise<void> {
    if (hold) await writeFile(join(this.folder, 'hold', part), '');
    for (const { network, pid } of await this.#processes(part)) {
      if (network === (await this.#network())) process.kill(pid, 'SIGKILL'); // another cluster has parts of the same names
    }
  }

  /** Lets a part that is held start again. */
  async release(part: Part): Promise<void> {
    await rm(join(this.folder, 'hold', part), { force: true });
  }

  /** The network that every part is in, and nobody else. */
  async #network(): Promise<string> {
    return await networkOf(await this.#inner());
  }

  /** The process that every other one in the namespaces comes from. */
  async #inner(): Promise<number> {
    const [first] = await this.#first();
    const children = (await readFile(`/proc/${first}/task/${first}/children`, 'utf8')).trim().split(' ');
    return Number(children[0]);
  }

  /** Processes of the cluster: those that were told its folder, or the one of a part. */
  async #processes(part?: string): Promise<Process[]> {
    const all = await processes();
    // The processes of the tests themselves are told the folder, too.
    if (part === undefined)
      return all.filter(({ program, words }) => program !== 'node' && words.some((word) => word.includes(this.folder)));
    return all.filter(({ program }) => program === part);
  }

  get #group(): string {
    return `ccp-${this.#number}`;
  }

  get #cable(): string {
    return `ccp-cable-${this.#number}`;
  }

  get #clientNetwork(): string {
    return `10.${this.#number}.100.0/22`;
  }

  async #connect(child: ChildProcess): Promise<void> {
    const { pid } = child;
    let init = '';
    await until('the namespaces are there', async () => {
      init = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim();
      if (child.exitCode !== null)
        throw new Error('the namespaces could not be made: is this root, outside of a container without rights?');
      return init !== '' && existsSync(`/proc/${init}/ns/net`);
    });
    await run('ip', ['link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', init]);
    await run('ip', ['address', 'add', `${this.hostAddress}/16`, 'dev', this.#cable]);
    await run('ip', ['link', 'set', this.#cable, 'up']);
    // Every address of this network is this machine: hundreds of clients, each with one of its own.
    await run('ip', ['route', 'add', 'local', this.#clientNetwork, 'dev', 'lo']);
  }

  /** Processes that keep the namespaces: one, or more where two runs have come in each other's way. */
  async #first(): Promise<number[]> {
    return (await this.#processes('unshare')).filter(({ words }) => words.includes(this.folder)).map(({ pid }) => pid);
  }

  async #isReady(): Promise<boolean> {
    const text = await this.kubectl(
      'get',
      'node/node-1',
      'serviceaccount/default',
      '-n',
      'default',
      '-o',
      'json',
      '--request-timeout=2s',
    ).catch(() => '');
    if (text === '') return false;
    const { items } = JSON.parse(text) as { items: { kind: string; status?: { conditions?: { type: string; status: string }[] } }[] };
    return items.some(
      ({ kind, status }) => kind === 'Node' && status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'),
    );
  }

  async #writeFiles(): Promise<void> {
    for (const name of ['log', 'pid', 'hold', 'tls', 'helm']) await mkdir(join(this.folder, name), { recursive: true, mode: 0o700 });
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const [admin, kubelet] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')];
    const files: Readonly<Record<string, string>> = {
      'tls/sa.key': privateKey,
      'tls/sa.pub': publicKey,
      'tokens.csv': `${admin},admin,admin,system:masters\n${kubelet},system:node:node-1,node-1,system:nodes\n`,
      'admin.kubeconfig': this.#kubeconfig(admin),
      'kubelet.kubeconfig': this.#kubeconfig(kubelet),
      'containerd.toml': CONTAINERD,
      'kubelet.yaml': stringify({ ...KUBELET, cgroupRoot: `/${this.#group}` }),
      'cni.conflist': JSON.stringify(CNI),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(this.folder, name), text, { mode: 0o600 });
  }

  #kubeconfig(token: string): string {
    return stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'x',
      clusters: [
        {
          name: 'c',
          cluster: { server: `https://${this.nodeAddress}:6443`, 'certificate-authority': join(this.folder, 'tls/apiserver.crt') },
        },
      ],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    });
  }
}
