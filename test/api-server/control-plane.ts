import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '../../src/kube/client.ts';
import { TokenBucket } from '../../src/kube/token-bucket.ts';
import { Transport } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

/** Where kubectl, helm and the programs of a node are. */
export const TOOLS = join(process.env['CCCAM_CACHE'] ?? `${process.env['HOME']}/.cache/cccam-operator`, 'control-plane');
/** Where etcd, kube-apiserver and kube-controller-manager are. */
export const ASSETS = process.env['KUBEBUILDER_ASSETS'] ?? TOOLS;

/** How to reach a control plane; plain data, so that it can be handed to another process. */
export interface Access {
  readonly port: number;
  readonly folder: string;
  readonly caFile: string;
  readonly kubeconfig: string;
  readonly adminToken: string;
}

/** The controllers of the real controller manager that the tests stand on. */
const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'disruption-controller',
  'root-ca-certificate-publisher-controller',
  'ttl-after-finished-controller',
  'clusterrole-aggregation-controller',
];

/** A real etcd, kube-apiserver and kube-controller-manager, in a folder and on ports of their own. */
export class ControlPlane {
  readonly access: Access;
  readonly #etcdPort: number;
  readonly #processes = new Map<string, ChildProcess>();

  private constructor(access: Access, etcdPort: number) {
    this.access = access;
    this.#etcdPort = etcdPort;
  }

  static async start(): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'ccp-control-plane-'));
    const adminToken = randomBytes(24).toString('hex');
    const [port, etcdPort] = [await freePort(), await freePort()];
    const caFile = join(folder, 'apiserver.crt');
    const plane = new ControlPlane({ port, folder, caFile, adminToken, kubeconfig: join(folder, 'admin.kubeconfig') }, etcdPort);
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    await writeFile(join(folder, 'sa.key'), privateKey, { mode: 0o600 });
    await writeFile(join(folder, 'sa.pub'), publicKey);
    await writeFile(join(folder, 'tokens.csv'), `${adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
    await plane.startEtcd();
    await plane.startApiServer();
    await writeFile(plane.access.kubeconfig, kubeconfig(`https://127.0.0.1:${port}`, caFile, adminToken), { mode: 0o600 });
    plane.startControllerManager();
    return plane;
  }

  startControllerManager(): void {
    const { caFile, folder, kubeconfig: config } = this.access;
    this.#spawn('kube-controller-manager', [
      `--kubeconfig=${config}`,
      '--leader-elect=false',
      '--use-service-account-credentials=false',
      `--service-account-private-key-file=${join(folder, 'sa.key')}`,
      `--root-ca-file=${caFile}`,
      `--controllers=${CONTROLLERS.join(',')}`,
      '--secure-port=0',
      '--concurrent-deployment-syncs=10',
      '--concurrent-replicaset-syncs=10',
      '--kube-api-qps=400',
      '--kube-api-burst=800',
    ]);
  }

  /** Keeps a copy of everything that etcd holds now. */
  async snapshot(): Promise<void> {
    await this.kill('etcd');
    await cp(join(this.access.folder, 'etcd'), join(this.access.folder, 'etcd-copy'), { recursive: true });
    await this.startEtcd();
  }

  /** Goes back to the copy, as after a disaster: what was written since never happened, and versions count from there again. */
  async restore(): Promise<void> {
    for (const name of ['kube-controller-manager', 'kube-apiserver', 'etcd'] as const) await this.kill(name);
    await rm(join(this.access.folder, 'etcd'), { recursive: true });
    await rename(join(this.access.folder, 'etcd-copy'), join(this.access.folder, 'etcd'));
    await this.startEtcd();
    await this.startApiServer();
    this.startControllerManager();
  }

  /** Makes etcd forget every version but the last, so that whoever watched from an older one is told that it is too old. */
  async compact(): Promise<void> {
    const url = `http://127.0.0.1:${this.#etcdPort}/v3/kv`;
    const post = async (path: string, body: object): Promise<{ header?: { revision?: string } }> =>
      (await (await fetch(`${url}/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()) as { header?: { revision?: string } };
    const { header } = await post('range', { key: 'AA==' });
    await post('compaction', { revision: header?.revision ?? '1', physical: true });
  }

  async startEtcd(): Promise<void> {
    const url = `http://127.0.0.1:${this.#etcdPort}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    this.#spawn('etcd', [
      `--data-dir=${join(this.access.folder, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=error',
    ]);
    await until('etcd answers', async () => (await fetch(`${url}/health`).catch(() => null))?.ok === true, 30_000);
  }

  /** Starts the API server on the port that it had before, and waits until it is ready. */
  async startApiServer(): Promise<void> {
    const { folder, port } = this.access;
    this.#spawn('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      `--secure-port=${port}`,
      `--cert-dir=${folder}`,
      `--token-auth-file=${join(folder, 'tokens.csv')}`,
      '--authorization-mode=Node,RBAC',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
      `--service-account-key-file=${join(folder, 'sa.pub')}`,
      '--allow-privileged',
      '--max-requests-inflight=2000',
      '--max-mutating-requests-inflight=1000',
    ]);
    await until('the API server is ready', async () => await this.#isReady(), 60_000);
  }

  /** Ends one part at once, as a crash does. */
  async kill(name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager'): Promise<void> {
    const process = this.#processes.get(name);
    if (process === undefined) return;
    this.#processes.delete(name);
    const ended = new Promise<void>((resolve) => process.once('exit', () => resolve()));
    process.kill('SIGKILL');
    await ended;
  }

  /** Sends a signal to one part, such as SIGSTOP. */
  signal(name: 'etcd' | 'kube-apiserver', signal: NodeJS.Signals): void {
    this.#processes.get(name)?.kill(signal);
  }

  async stop(): Promise<void> {
    for (const name of ['kube-controller-manager', 'kube-apiserver', 'etcd'] as const) await this.kill(name);
    await rm(this.access.folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    const answer = adminClient(this.access).transport.request({
      method: 'GET',
      path: '/api/v1/namespaces/kube-system',
      signal: AbortSignal.timeout(1_000),
    });
    return await answer.then(
      () => true,
      () => false,
    );
  }

  #spawn(name: string, args: string[]): void {
    const log = openSync(join(this.access.folder, `${name}.log`), 'a');
    const process = spawn(join(ASSETS, name), args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#processes.set(name, process);
  }
}

/** A client with every right. @param headers more of them, such as those that make it act for somebody with fewer */
export function adminClient(access: Access, headers: Readonly<Record<string, string>> = {}): KubeClient {
  const cluster = {
    server: new URL(`https://127.0.0.1:${access.port}`),
    namespace: null,
    credentials: async () => ({
      headers: { authorization: `Bearer ${access.adminToken}`, ...headers },
      tls: { ca: await readFile(access.caFile, 'utf8') },
    }),
    forget: () => undefined,
  };
  return new KubeClient(
    new Transport({ access: cluster, clock: systemClock, bucket: new TokenBucket(systemClock, 10_000, 10_000), userAgent: 'test' }),
  );
}

/** A kubeconfig with one token. */
export function kubeconfig(server: string, caFile: string | null, token: string, namespace = 'default'): string {
  const authority = caFile === null ? ', insecure-skip-tls-verify: true' : `, certificate-authority: ${JSON.stringify(caFile)}`;
  return [
    'apiVersion: v1',
    'kind: Config',
    'current-context: x',
    `clusters: [{name: c, cluster: {server: ${JSON.stringify(server)}${authority}}}]`,
    `users: [{name: u, user: {token: ${JSON.stringify(token)}}}]`,
    `contexts: [{name: x, context: {cluster: c, user: u, namespace: ${namespace}}}]`,
    '',
  ].join('\n');
}
