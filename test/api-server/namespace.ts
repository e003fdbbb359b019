import type { CccamPool, Condition, PoolStatus } from '../../src/api/v1alpha1/index.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject, ResourceType } from '../../src/kube/resource.ts';
import { POD, POOL } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';

/** What stands in a namespace of a real API server, as somebody with every right sees it. */
export class Namespace {
  readonly admin: KubeClient;
  readonly namespace: string;

  constructor(admin: KubeClient, namespace: string) {
    this.admin = admin;
    this.namespace = namespace;
  }

  /** What whoever looks at a failed test should see besides. */
  diagnosis(): unknown {
    return null;
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
    await until(`${pool} is ${type}=${expected}`, matches, limitMs, async () => ({
      conditions: seen?.conditions,
      diagnosis: await this.diagnosis(),
    }));
  }

  async get(type: ResourceType, name: string): Promise<KubeObject | null> {
    return await this.admin.get({ type, namespace: this.namespace, name }, signal());
  }

  async list(type: ResourceType, labelSelector = ''): Promise<KubeObject[]> {
    const { items } = await this.admin.list(
      { type, namespace: this.namespace, selectors: labelSelector === '' ? {} : { labelSelector } },
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

  /** Gives the operator’s account of a namespace one of the operator’s roles in this one, by a binding of that name. */
  async bindOperator(name: string, accountNamespace: string, role = 'cccam-operator-by-hand'): Promise<void> {
    const binding = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name, namespace: this.namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: 'cccam-operator', namespace: accountNamespace }],
    };
    await this.create(binding, 'rolebindings');
  }

  async create(object: KubeObject, plural: string, namespace = this.namespace): Promise<void> {
    const ref = { type: { apiVersion: object.apiVersion, kind: object.kind, plural }, namespace, name: object.metadata.name };
    await this.admin.create(ref, object, 'test', signal());
  }
}

function signal(): AbortSignal {
  return AbortSignal.timeout(15_000);
}
