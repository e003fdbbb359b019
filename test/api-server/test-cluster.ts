import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POOL } from '../../src/operator/resources.ts';
import { Audience, type Viewers } from '../fakes/audience.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { type Access, adminClient, kubeconfig, TOOLS } from './control-plane.ts';
import { Namespace } from './namespace.ts';
import { TestKubelet } from './test-kubelet.ts';

const run = promisify(execFile);
const PROGRAM = process.env['CCCAM_TEST_PROGRAM'] ?? 'src/main.ts';

const OPERATOR_ROLES = ['cccam-operator-by-hand', 'cccam-operator-by-hand-lease'];

/** An operator as a process of its own. */
export interface RunningOperator {
  readonly process: ChildProcess;
  readonly port: number;
  readonly logFile: string;
}

export interface OperatorSetup {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Module that is loaded before the program. */
  readonly preload?: string;
  /** Kubeconfig to use instead of the service account's token. */
  readonly kubeconfig?: string;
}

/** A namespace on the real control plane, with operators, proxies, servers and clients of its own. */
export class TestCluster extends Namespace {
  readonly access: Access;
  readonly kubelet: TestKubelet;
  readonly operators: RunningOperator[] = [];
  readonly folder: string;
  readonly audience = new Audience();

  private constructor(access: Access, namespace: string, folder: string) {
    super(adminClient(access), namespace);
    this.access = access;
    this.folder = folder;
    this.kubelet = new TestKubelet(this.admin, access, namespace);
  }

  /** Makes a namespace with the operator's service account and exactly the roles that ship. */
  static async create(access: Access): Promise<TestCluster> {
    const namespace = `t-${Math.random().toString(36).slice(2, 10)}`;
    const folder = await mkdtemp(join(tmpdir(), 'ccp-test-'));
    const cluster = new TestCluster(access, namespace, folder);
    await cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, 'namespaces', '');
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'cccam-operator', namespace } }, 'serviceaccounts');
    for (const role of OPERATOR_ROLES) await cluster.bindOperator(role, namespace, role);
    await until(
      'the default service account is there',
      async () => (await cluster.admin.get({ type: CHILD_TYPES.ServiceAccount, namespace, name: 'default' }, signal())) !== null,
    );
    cluster.kubelet.start();
    return cluster;
  }

  /** Starts an operator with the rights of its service account, and waits until its caches are warm. */
  async startOperator(setup: OperatorSetup = {}): Promise<RunningOperator> {
    const number = this.operators.length + 1;
    const port = await freePort();
    const account = join(this.folder, `operator-${number}`);
    await mkdir(account, { recursive: true });
    await this.writeAccount(account);
    const logFile = join(this.folder, `operator-${number}.log`);
    const log = openSync(logFile, 'a');
    const args = [
      '--disable-warning=ExperimentalWarning',
      ...(setup.preload === undefined ? [] : ['--import', setup.preload]),
      PROGRAM,
      'operator',
      ...(setup.kubeconfig === undefined ? ['--service-account', account] : ['--kubeconfig', setup.kubeconfig]),
      '--namespaces',
      this.namespace,
      '--lease-namespace',
      this.namespace,
      '--http',
      `127.0.0.1:${port}`,
      '--counts-every',
      '1s',
      '--allow-own-namespace',
      '--log-level',
      'debug',
      ...(setup.args ?? []),
    ];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(this.access.port), ...setup.env },
    });
    closeSync(log);
    const operator = { process: child, port, logFile };
    this.operators.push(operator);
    return operator;
  }

  /** Starts an operator that reaches its API server elsewhere: the rights of its service account, in a kubeconfig as outside of a cluster. */
  async startOperatorThrough(url: string): Promise<RunningOperator> {
    const account = join(this.folder, 'outside');
    await this.writeAccount(account);
    const config = join(this.folder, 'outside.kubeconfig');
    await writeFile(config, kubeconfig(url, null, await readFile(join(account, 'token'), 'utf8'), this.namespace));
    return await this.startOperator({ kubeconfig: config });
  }

  /** Waits until an operator says that it is ready. */
  async untilReady(operator: RunningOperator): Promise<void> {
    await until('the operator is ready', async () => (await answer(operator, '/readyz')) === 200, 60_000);
  }

  /** Ends an operator. */
  async stopOperator(operator: RunningOperator, name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { process: child } = operator;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(name);
    return await ended;
  }

  /** Applies a pool as `kubectl apply` does. */
  async applyPool(name: string, spec: Record<string, unknown>, annotations: Record<string, string> = {}): Promise<void> {
    const file = join(this.folder, `${name}.yaml`);
    await writeFile(
      file,
      stringify({ apiVersion: POOL.apiVersion, kind: POOL.kind, metadata: { name, namespace: this.namespace, annotations }, spec }),
    );
    await this.kubectl('apply', '-f', file);
  }

  async kubectl(...args: string[]): Promise<string> {
    const { stdout } = await run(join(TOOLS, 'kubectl'), ['--kubeconfig', this.access.kubeconfig, '-n', this.namespace, ...args], {
      timeout: 60_000,
    });
    return stdout;
  }

  /** Clients that connect through the proxies in turn, each from an address of its own. */
  connect(pool: string, count: number, port = 12_000): Viewers {
    const proxies = this.kubelet.named(`${pool}-haproxy`);
    return this.audience.connect(count, (index, number) => ({
      host: proxies[index % proxies.length]?.address ?? '',
      port,
      from: `127.200.${Math.floor(number / 250)}.${1 + (number % 250)}`,
    }));
  }

  /** Every client leaves. */
  async leaveAll(): Promise<void> {
    await this.audience.leaveAll();
  }

  /** Sessions that clients have lost without their doing. */
  get lost(): number {
    return this.audience.lost;
  }

  override diagnosis(): unknown {
    return { errors: this.kubelet.errors.map(String), logs: this.tails() };
  }

  /** The last lines of every process, for a test that fails. */
  tails(): string[] {
    const proxies = this.kubelet
      .named('')
      .flatMap(({ proxy }) => (proxy === undefined ? [] : [`${proxy.folder}/agent.log`, `${proxy.folder}/haproxy.log`]));
    const files = [...this.operators.map((operator) => operator.logFile), ...proxies];
    return files.flatMap((file) =>
      existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .slice(-8)
            .map((line) => line.slice(0, 300))
        : [`no ${file}`],
    );
  }

  async log(): Promise<string> {
    return (await Promise.all(this.operators.map((operator) => readFile(operator.logFile, 'utf8')))).join('\n');
  }

  async stop(): Promise<void> {
    await this.leaveAll();
    for (const operator of this.operators) await this.stopOperator(operator, 'SIGKILL');
    await this.kubelet.stop();
    await this.admin.transport
      .request({ method: 'DELETE', path: `/api/v1/namespaces/${this.namespace}`, signal: signal() })
      .catch(() => null);
    this.admin.transport.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Puts what a pod of the operator finds of its service account into a folder. */
  async writeAccount(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    const answer = (await this.admin.transport.request({
      method: 'POST',
      path: `/api/v1/namespaces/${this.namespace}/serviceaccounts/cccam-operator/token`,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } },
      signal: signal(),
    })) as { status: { token: string } };
    await writeFile(join(folder, 'token'), answer.status.token);
    await writeFile(join(folder, 'namespace'), this.namespace);
    await copyFile(this.access.caFile, join(folder, 'ca.crt'));
  }
}

/** What every namespace stands on: the CRD, the roles, a node. */
export async function prepare(access: Access): Promise<void> {
  const admin = adminClient(access);
  const crd = parse(await readFile('crds/cccam.dev_cccampools.yaml', 'utf8')) as KubeObject;
  const roles = parseAllDocuments(await readFile('config/rbac/operator.yaml', 'utf8')).map((document) => document.toJS() as KubeObject);
  const plurals: Record<string, string> = {
    CustomResourceDefinition: 'customresourcedefinitions',
    ClusterRole: 'clusterroles',
    Node: 'nodes',
  };
  const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'lab' } };
  for (const object of [crd, ...roles, node]) {
    const ref = {
      type: { apiVersion: object.apiVersion, kind: object.kind, plural: plurals[object.kind] ?? '' },
      namespace: '',
      name: object.metadata.name,
    };
    await admin.apply(ref, object, { manager: 'test', force: true }, signal());
  }
  await until(
    'the CRD is served',
    async () =>
      await admin
        .list({ type: POOL, namespace: '', selectors: {} }, (object) => object, signal())
        .then(
          () => true,
          () => false,
        ),
  );
  admin.transport.close();
}

/** A template with one container, as a person would write it. */
export function aPodTemplate(image = 'oscam:1'): Record<string, unknown> {
  return { spec: { containers: [{ name: 'cccam', image }] } };
}

/** Status of an HTTP answer of an operator, or null. */
export async function answer(operator: RunningOperator, path: string): Promise<number | null> {
  const response = await fetch(`http://127.0.0.1:${operator.port}${path}`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
  return response?.status ?? null;
}

function signal(): AbortSignal {
  return AbortSignal.timeout(15_000);
}
