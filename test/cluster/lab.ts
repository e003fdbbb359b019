import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { KubeClient } from '../../src/kube/client.ts';
import { fromKubeconfig } from '../../src/kube/kubeconfig.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { TokenBucket } from '../../src/kube/token-bucket.ts';
import { Transport } from '../../src/kube/transport.ts';
import { CHILD_TYPES, POD, POOL } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { Namespace } from '../api-server/namespace.ts';
import { Audience, type Viewers } from '../fakes/audience.ts';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';

export const OPERATOR_NAMESPACE = 'cccam-system';
const CHART = 'charts/cccam-operator';
const IMAGES = ['cccam-operator:test', 'haproxy:3.0'];
const CACHE = process.env['CCCAM_CACHE'] ?? `${process.env['HOME']}/.cache/cccam-operator`;
/** Both namespaces refuse whatever the restricted profile forbids; and what would only be warned of fails, too. */
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' };

/** A real node with a namespace for pools, and clients outside of it. */
export class Lab extends Namespace {
  readonly cluster: Cluster;
  readonly audience = new Audience();

  private constructor(cluster: Cluster) {
    const bucket = new TokenBucket(systemClock, 10_000, 10_000);
    super(
      new KubeClient(new Transport({ access: fromKubeconfig(cluster.kubeconfig, null), clock: systemClock, bucket, userAgent: 'test' })),
      'tv',
    );
    this.cluster = cluster;
  }

  /** Brings a node up, with our image on it. Each worker of the tests has one of its own. */
  static async create(): Promise<Lab> {
    const cluster = new Cluster(join(CACHE, `cluster-test-${process.env['VITEST_POOL_ID'] ?? 0}`));
    await cluster.up();
    for (const image of IMAGES) await cluster.importImage(image);
    const lab = new Lab(cluster);
    for (const name of [OPERATOR_NAMESPACE, lab.namespace]) {
      await lab.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: RESTRICTED } }, 'namespaces', '');
    }
    return lab;
  }

  /** Installs or upgrades the operator and waits until it is there. @param values as `--set` takes them */
  async install(...values: string[]): Promise<string> {
    const sets = ['image.tag=test', ...values].flatMap((value) => ['--set', value]);
    return await this.helm('upgrade', '--install', 'cccam-operator', CHART, '--wait', '--timeout', '90s', ...sets);
  }

  async helm(...args: string[]): Promise<string> {
    return await this.cluster.helm('--namespace', OPERATOR_NAMESPACE, ...args);
  }

  async kubectl(...args: string[]): Promise<string> {
    return await this.cluster.kubectl('--namespace', this.namespace, ...args);
  }

  /** Applies an object as `kubectl apply` does. @returns what kubectl says of it, warnings among it */
  async apply(object: object): Promise<string> {
    return await this.cluster.applyText(stringify(object), '--namespace', this.namespace);
  }

  async applyPool(name: string, spec: object): Promise<void> {
    await this.apply({ apiVersion: POOL.apiVersion, kind: POOL.kind, metadata: { name }, spec });
  }

  /** Pods of a backend, or of the proxies for null, that are not terminating. */
  async pods(pool: string, backend: string | null): Promise<KubeObject[]> {
    const selector = backend === null ? 'cccam.dev/component=proxy' : `cccam.dev/backend=${backend}`;
    const pods = await this.list(POD, `cccam.dev/pool=${pool},${selector}`);
    return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  /** Live sessions of a proxy, as its own agent tells them. */
  async sessionsOf(proxy: KubeObject): Promise<number> {
    const text = await this.#agentMetrics(proxy, 9_321);
    return [...text.matchAll(/^cccam_server_sessions\{.*\} (\d+)$/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  }

  /** A number that the agent beside a server tells, by its name with labels; null where it tells none. */
  async agentMetric(server: KubeObject, name: string): Promise<number | null> {
    const lines = (await this.#agentMetrics(server, 9_322)).split('\n');
    const value = lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
    return value === undefined ? null : Number(value);
  }

  async #agentMetrics(pod: KubeObject, port: number): Promise<string> {
    return await this.kubectl('get', '--raw', `/api/v1/namespaces/${this.namespace}/pods/${pod.metadata.name}:${port}/proxy/metrics`);
  }

  /** Clients outside of the cluster that connect through the Service's node port, each from an address of its own. */
  async connect(pool: string, count: number): Promise<Viewers> {
    const service = await this.get(CHILD_TYPES.Service, pool);
    const port = (service?.['spec'] as { ports: { nodePort: number }[] } | undefined)?.ports[0]?.nodePort ?? 0;
    const { cluster } = this;
    return this.audience.connect(count, (_, number) => ({ host: cluster.nodeAddress, port, from: cluster.clientAddress(number) }));
  }

  get lost(): number {
    return this.audience.lost;
  }

  /** Waits until each of them is served. */
  async served({ clients }: Viewers): Promise<void> {
    const waiting = () => clients.filter((client) => client.servedBy === null);
    await until(
      'everybody is served',
      () => waiting().length === 0,
      30_000,
      async () => ({
        attempts: waiting().map((client) => client.attempts),
        connections: await this.#connections(),
        agents: await this.#agentLogs(),
        ...(await this.diagnosis()),
      }),
    );
  }

  /** Connections of clients that are not established. */
  async #connections(): Promise<string[]> {
    const { stdout } = await promisify(execFile)('ss', ['-tno', 'dst', this.cluster.nodeAddress]);
    return stdout
      .split('\n')
      .filter((line) => !line.startsWith('ESTAB'))
      .slice(0, 10);
  }

  /** Every agent's last words, for a test in which somebody was lost. */
  async #agentLogs(): Promise<unknown> {
    const pods = await this.list(POD, 'cccam.dev/pool');
    const logs = pods.map(async ({ metadata: { labels, name } }) => {
      const container = labels?.['cccam.dev/component'] === 'proxy' ? 'proxy-agent' : 'backend-agent';
      return [name, (await this.kubectl('logs', name, '-c', container, '--tail=40').catch(String)).split('\n')];
    });
    return Object.fromEntries(await Promise.all(logs));
  }

  /** @throws Error with what everybody says, when a client has lost a session */
  async lostNobody(): Promise<void> {
    const { losses } = this.audience;
    if (losses.length === 0) return;
    const events = (await this.kubectl('get', 'events', '--sort-by=.lastTimestamp')).split('\n').slice(-60);
    const lost = new Set(losses.map((loss) => loss.split(' ')[1] ?? ''));
    const kubelet = await this.cluster.logLines('kubelet', (line) => [...lost].some((label) => line.includes(label)));
    const known = { kubelet, losses: losses.splice(0), agents: await this.#agentLogs(), events, ...(await this.diagnosis()) };
    throw new Error(JSON.stringify(known, null, 1));
  }

  /** Everything that is known of the pods, for a test that fails. */
  override async diagnosis(): Promise<object> {
    const pods = await this.cluster.kubectl('get', 'pods', '-A', '-o', 'wide').catch(String);
    const operator = await this.helmLog().catch(String);
    return { pods: pods.split('\n'), operator: operator.split('\n').slice(-15), folder: this.cluster.folder };
  }

  /** What the operators say. */
  async helmLog(): Promise<string> {
    return await this.cluster.kubectl(
      '--namespace',
      OPERATOR_NAMESPACE,
      'logs',
      '--selector',
      'app.kubernetes.io/component=operator',
      '--tail=-1',
    );
  }

  async stop(): Promise<void> {
    await this.audience.leaveAll();
    this.admin.transport.close();
    await this.cluster.down();
  }
}

/** A pool of simulated servers that the restricted profile has nothing against. @param version changes the pod template */
export function aPool(backends: readonly object[], more: Record<string, unknown> = {}, version = '1'): Record<string, unknown> {
  return {
    backends,
    podTemplate: aPodTemplate(version),
    proxy: { maxConnections: 2_000, service: { type: 'NodePort' } },
    drain: { deadline: '5m' },
    ...more,
  };
}

function aPodTemplate(version: string): object {
  return {
    metadata: { annotations: { version } },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'cccam',
          image: 'cccam-operator:test',
          args: ['simulate', 'server', '--host', '0.0.0.0', '--port', '12000', '--label', '$(POD)'],
          // The last twenty characters of a pod's name: what a label has room for, and enough to tell pods apart.
          env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          ports: [{ containerPort: 12_000 }],
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          resources: { requests: { cpu: '5m' }, limits: { memory: '128Mi' } },
        },
      ],
    },
  };
}

/** Whether a pod takes new sessions, as Kubernetes sees it. */
export function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = pod['status'] as { conditions?: { type: string; status: string }[] };
  return conditions.some((each) => each.type === 'Ready' && each.status === 'True');
}

/** What a client is told by the server in a pod. */
export function labelOf(pod: KubeObject): string {
  return pod.metadata.name.slice(0, 20);
}
