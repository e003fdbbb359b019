import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD, POOL, REPLICA_SET } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { until } from '../support/until.ts';
import { adminClient } from './control-plane.ts';
import type { TestCluster } from './test-cluster.ts';

const ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' };
const TYPES = [...Object.values(CHILD_TYPES), POD, POOL, REPLICA_SET];

/** Somebody who may do in one namespace what the stock role `edit` allows, pools included. */
export class Tenant {
  readonly cluster: TestCluster;
  readonly client: KubeClient;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.client = adminClient(cluster.access, { 'impersonate-user': this.#name });
  }

  get #name(): string {
    return `tenant-${this.cluster.namespace}`;
  }

  /** Gives somebody the role in the namespace, and waits until it holds. */
  static async in(cluster: TestCluster): Promise<Tenant> {
    const tenant = new Tenant(cluster);
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' };
    const rules = [{ apiGroups: ['cccam.dev'], resources: ['cccampools'], verbs: ['create', 'update', 'patch', 'delete'] }];
    const metadata = { name: 'test-pools-edit', labels };
    const role = { apiVersion: ROLE.apiVersion, kind: ROLE.kind, metadata, rules };
    const ref = { type: ROLE, namespace: '', name: metadata.name };
    await cluster.admin.apply(ref, role, { manager: 'test', force: true }, AbortSignal.timeout(15_000));
    await cluster.create(
      {
        apiVersion: ROLE.apiVersion,
        kind: 'RoleBinding',
        metadata: { name: 'tenant', namespace: cluster.namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: tenant.#name }],
      } as unknown as KubeObject,
      'rolebindings',
    );
    const probe: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe', namespace: cluster.namespace } };
    await until(
      'the role holds',
      async () =>
        await tenant.create(probe).then(
          () => true,
          () => false,
        ),
    );
    return tenant;
  }

  /** Makes an object. @returns its uid */
  async create(object: KubeObject): Promise<string> {
    const type = TYPES.find(({ kind }) => kind === object.kind);
    if (type === undefined) throw new Error(`no type for ${object.kind}`);
    const { namespace } = this.cluster;
    const whole = { ...object, metadata: { ...object.metadata, namespace } };
    const made = await this.client.create({ type, namespace, name: object.metadata.name }, whole, 'tenant', AbortSignal.timeout(15_000));
    return made.metadata.uid ?? '';
  }

  /** Makes an object from its JSON, which may be nested deeper than a program here could write it. */
  async createText(json: string): Promise<void> {
    const file = join(this.cluster.folder, 'tenant.json');
    await writeFile(file, json);
    await this.cluster.kubectl('--as', this.#name, 'create', '-f', file, '--validate=false');
  }

  /** Makes a pool. */
  async createPool(name: string, spec: object): Promise<string> {
    return await this.create({ apiVersion: POOL.apiVersion, kind: POOL.kind, metadata: { name }, spec });
  }
}

/** A process that answers where an agent should, with whatever it likes. */
export class HostileAgent {
  readonly address: string;
  readonly #server: Server;
  /** Connections that were made to it. */
  connections = 0;

  private constructor(address: string, talk: (response: ServerResponse) => void) {
    this.address = address;
    this.#server = createServer((_request, response) => {
      response.writeHead(200);
      talk(response);
    });
    this.#server.on('connection', () => {
      this.connections += 1;
    });
  }

  /** @param talk called with each subscription; goes on until the response is closed */
  static async start(address: string, talk: (response: ServerResponse) => void): Promise<HostileAgent> {
    const agent = new HostileAgent(address, talk);
    await new Promise<void>((resolve, reject) => {
      agent.#server.once('error', reject);
      agent.#server.listen(9_321, address, resolve);
    });
    return agent;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Writes for as long as somebody reads; as fast as it is read, or so many times a second. */
export function keepTalking(text: () => string, perSecond?: number): (response: ServerResponse) => void {
  return (response) => {
    if (perSecond !== undefined) {
      void writeAtPace(response, text, 1_000 / perSecond);
      return;
    }
    const more = (): void => {
      while (!response.destroyed && response.write(text()));
    };
    response.on('drain', more);
    more();
  };
}

async function writeAtPace(response: ServerResponse, text: () => string, everyMs: number): Promise<void> {
  while (!response.destroyed) {
    response.write(text());
    await systemClock.sleep(everyMs);
  }
}
