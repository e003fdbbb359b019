import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { CccamPool, Condition, PoolStatus } from '../../src/api/v1alpha1/index.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject, ResourceType } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD, POOL } from '../../src/operator/resources.ts';
import { SimulatedClient } from '../../src/simulate/client.ts';
import { freePort } from '../haproxy/ports.ts';
import { until } from '../haproxy/until.ts';
import { type Access, adminClient, TOOLS } from './control-plane.ts';
import { TestKubelet } from './test-kubelet.ts';

const run = promisify(execFile);
const PROGRAM = process.env['CCCAM_TEST_PROGRAM'] ?? 'src/main.ts';

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

/** Clients that came together and can leave together. */
export interface Viewers {
  readonly clients: readonly SimulatedClient[];
  leave(): Promise<void>;
}

/** A namespace on the real control plane, with operators, proxies, servers and clients of its own. */
export class TestCluster {
  readonly access: Access;
  readonly admin: KubeClient;
  readonly namespace: string;
  readonly kubelet: TestKubelet;
  readonly operators: RunningOperator[] = [];
  readonly folder: string;
  readonly #clients: SimulatedClient[] = [];
  readonly #leave: (() => Promise<void>)[] = [];

  private constructor(access: Access, namespace: string, folder: string) {
    this.access = access;
    this.admin = adminClient(access);
    this.namespace = namespace;
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
    for (const role of ['cccam-operator', 'cccam-operator-lease']) {
      await cluster.create(
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: role, namespace },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
          subjects: [{ kind: 'ServiceAccount', name: 'cccam-operator', namespace }],
        },
        'rolebindings',
      );
    }
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

  /** Waits until an operator says that it is ready. */
  async untilReady(operator: RunningOperator): Promise<void> {
    await until('the operator is ready', async () => (await answer(operator, '/readyz')) === 200, 20_000);
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

  async status(pool: string): Promise<PoolStatus | null> {
    const object = await this.admin.get({ type: POOL, namespace: this.namespace, name: pool }, signal());
    return (object as unknown as CccamPool | null)?.status ?? null;
  }

  async condition(pool: string, type: string): Promise<Condition | undefined> {
    return (await this.status(pool))?.conditions.find((condition) => condition.type === type);
  }

  /** Waits until a condition has a status or `status/reason`. */
  async untilCondition(pool: string, type: string, expected: string, limitMs = 20_000): Promise<void> {
    let seen: PoolStatus | null = null;
    const matches = async (): Promise<boolean> => {
      seen = await this.status(pool);
      const found = seen?.conditions.find((condition) => condition.type === type);
      return found?.status === expected || `${found?.status}/${found?.reason}` === expected;
    };
    await until(`${pool} is ${type}=${expected}`, matches, limitMs, () => ({
      conditions: seen?.conditions,
      errors: this.kubelet.errors.map(String),
      logs: this.tails(),
    }));
  }

  async get(type: ResourceType, name: string): Promise<KubeObject | null> {
    return await this.admin.get({ type, namespace: this.namespace, name }, signal());
  }

  async list(type: ResourceType, labelSelector = ''): Promise<KubeObject[]> {
    const { items } = await this.admin.list(
      type,
      this.namespace,
      labelSelector === '' ? {} : { labelSelector },
      (object) => object,
      signal(),
    );
    return [...items];
  }

  async pod(name: string): Promise<KubeObject | null> {
    return await this.get(POD, name);
  }

  /** Status of a condition of a pod. */
  async podCondition(name: string, type: string): Promise<string | undefined> {
    const status = (await this.pod(name))?.['status'] as { conditions?: { type: string; status: string }[] } | undefined;
    return status?.conditions?.find((condition) => condition.type === type)?.status;
  }

  /** Events about a pool, by reason. */
  async events(pool: string): Promise<string[]> {
    const events = await this.list({ apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' });
    return events.filter((event) => (event['regarding'] as { name?: string }).name === pool).map((event) => String(event['reason']));
  }

  /** Clients that connect through the proxies in turn, each from an address of its own. */
  connect(pool: string, count: number, port = 12_000): Viewers {
    const proxies = this.kubelet.named(`${pool}-haproxy`);
    const clients = Array.from({ length: count }, (_, index) => {
      const proxy = proxies[index % proxies.length];
      const number = this.#clients.length + index + 1;
      return new SimulatedClient({
        host: proxy?.address ?? '',
        port,
        from: `127.200.${Math.floor(number / 250)}.${1 + (number % 250)}`,
        retry: { kind: 'fixed', delayMs: 100 },
        patienceMs: null,
      });
    });
    this.#clients.push(...clients);
    const end = new AbortController();
    const running = Promise.all(clients.map((client) => client.run(end.signal)));
    const leave = async (): Promise<void> => {
      end.abort();
      await running;
    };
    this.#leave.push(leave);
    return { clients, leave };
  }

  /** Every client leaves. */
  async leaveAll(): Promise<void> {
    await Promise.all(this.#leave.splice(0).map((leave) => leave()));
  }

  /** Sessions that clients have lost without their doing. */
  get lost(): number {
    return this.#clients.reduce((sum, client) => sum + client.lost, 0);
  }

  async create(object: KubeObject, plural: string, namespace = this.namespace): Promise<void> {
    const ref = { type: { apiVersion: object.apiVersion, kind: object.kind, plural }, namespace, name: object.metadata.name };
    await this.admin.create(ref, object, 'test', signal());
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
    await admin.apply(ref, object, 'test', true, signal());
  }
  await until(
    'the CRD is served',
    async () =>
      await admin
        .list(POOL, '', {}, (object) => object, signal())
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
