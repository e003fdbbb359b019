import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POOL } from '../../src/operator/resources.ts';
import { throughout, until } from '../support/until.ts';
import { FaultProxy } from './fault-proxy.ts';
import { metrics } from './metrics.ts';
import { aPodTemplate, type RunningOperator, TestCluster } from './test-cluster.ts';

const CRD = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', plural: 'customresourcedefinitions' };
const ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' };

let cluster: TestCluster;
let proxy: FaultProxy;
let operator: RunningOperator;
let weight = 10;

const spec = () => ({
  backends: [{ name: 'a', replicas: 2, weight }],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  proxy = await FaultProxy.start(cluster.access);
  operator = await cluster.startOperatorThrough(proxy.url);
  await cluster.applyPool('p', spec());
  await cluster.untilCondition('p', 'Ready', 'True', 40_000);
  const viewers = cluster.connect('p', 20);
  await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
}, 120_000);

afterAll(async () => {
  await cluster.stop();
  await proxy.stop();
});

beforeEach(() => {
  proxy.fault = () => null;
  proxy.delayMs = 0;
  proxy.calls.length = 0;
});

async function change(limitMs: number): Promise<void> {
  weight += 1;
  await cluster.applyPool('p', spec());
  await until(
    'the change is in force',
    async () => {
      const status = await cluster.status('p');
      return status?.backends[0]?.weight === weight && status.conditions.some((each) => each.type === 'Ready' && each.status === 'True');
    },
    limitMs,
    () => cluster.tails().slice(0, 9),
  );
  expect(cluster.lost).toBe(0);
}

function signal(): AbortSignal {
  return AbortSignal.timeout(15_000);
}

describe('an operator', () => {
  it('loses no session while each call takes five seconds longer, and does what is due when they do not', async () => {
    proxy.delayMs = 5_000;
    weight += 1;
    await cluster.applyPool('p', spec());
    await throughout('nobody is lost', 25_000, async () => cluster.lost === 0);
    proxy.delayMs = 0;
    await change(60_000);
    expect(operator.process.exitCode).toBeNull();
  });

  it('takes nothing away on a list and watches that are a minute old', async () => {
    const path = `/api/v1/namespaces/${cluster.namespace}/pods`;
    const query = { labelSelector: 'cccam.dev/pool', limit: '100' };
    const old = JSON.stringify(await cluster.admin.transport.request({ method: 'GET', path, query, signal: signal() }));
    proxy.fault = (call, response) => {
      if (call.url?.startsWith(path) !== true || call.method !== 'GET') return null;
      response.writeHead(200, { 'content-type': 'application/json' });
      if (call.url.includes('watch=true')) response.flushHeaders();
      else response.end(old);
      return 'answered';
    };
    proxy.resetWatches();
    const [pod] = cluster.kubelet.named('p-a');
    await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain=30m');
    await change(20_000);
    await throughout(
      'nothing is deleted',
      10_000,
      async () => !proxy.calls.some(({ method }) => method === 'DELETE') && cluster.lost === 0,
    );
    proxy.fault = () => null;
    await until(
      'the drain is heard of',
      async () => (await cluster.status('p'))?.draining === 1,
      60_000,
      () => cluster.tails().slice(0, 9),
    );
    await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain-');
    await change(30_000);
  }, 180_000);

  it('that lacks one verb on one kind says which, and goes on with everything else', async () => {
    const [text] = parseAllDocuments(await readFile('config/rbac/operator.yaml', 'utf8'));
    const role = text?.toJS() as KubeObject & { rules: { resources: string[]; verbs: string[] }[] };
    const name = `without-budgets-${cluster.namespace}`;
    const rules = role.rules.map((rule) =>
      rule.resources.includes('poddisruptionbudgets')
        ? { ...rule, verbs: rule.verbs.filter((verb) => verb !== 'create' && verb !== 'patch') }
        : rule,
    );
    const reduced = { apiVersion: ROLE.apiVersion, kind: ROLE.kind, metadata: { name }, rules };
    await cluster.admin.apply({ type: ROLE, namespace: '', name }, reduced, { manager: 'test', force: true }, signal());
    await cluster.kubectl('create', 'rolebinding', name, `--clusterrole=${name}`, `--serviceaccount=${cluster.namespace}:cccam-operator`);
    await cluster.kubectl('delete', 'rolebinding', 'cccam-operator-by-hand');
    await cluster.applyPool('q', spec());
    await until(
      'the new pool says what is missing',
      async () => JSON.stringify((await cluster.status('q'))?.conditions ?? []).includes('PodDisruptionBudget'),
      30_000,
      () => cluster.tails().slice(0, 9),
    );
    await until('its Deployments are there', async () => (await cluster.get(CHILD_TYPES.Deployment, 'q-haproxy')) !== null);
    await change(10_000);
    expect(await metrics(operator)).toMatch(/rest_client_requests_total\{[^}]*code="403"[^}]*\} [1-9]/);
    await cluster.kubectl(
      'create',
      'rolebinding',
      'cccam-operator-by-hand',
      '--clusterrole=cccam-operator-by-hand',
      `--serviceaccount=${cluster.namespace}:cccam-operator`,
    );
    await until(
      'the budget is made once it may',
      async () => (await cluster.get(CHILD_TYPES.PodDisruptionBudget, 'q-haproxy')) !== null,
      90_000,
    );
    await cluster.kubectl('delete', 'ccp', 'q');
    await cluster.kubectl('delete', 'rolebinding', name);
  }, 180_000);

  it('goes on with the last valid pool while its kind is a newer one, keeps what it does not know, and takes the older one again', async () => {
    const name = 'cccampools.cccam.dev';
    const ref = { type: CRD, namespace: '', name };
    const before = await cluster.admin.get(ref, signal());
    const text = JSON.stringify(before?.['spec']);
    const newer = JSON.parse(text) as { versions: { schema: { openAPIV3Schema: { properties: { spec: { properties: object } } } } }[] };
    Object.assign(newer.versions[0]?.schema.openAPIV3Schema.properties.spec.properties ?? {}, { fromTheFuture: { type: 'string' } });
    try {
      await cluster.admin.merge(ref, { spec: newer }, 'test', signal());
      await until(
        'the field is taken',
        async () => {
          await cluster.kubectl('patch', 'ccp', 'p', '--type=merge', '-p', '{"spec":{"fromTheFuture":"x"}}');
          const pool = await cluster.get(POOL, 'p');
          return JSON.stringify(pool?.['spec']).includes('fromTheFuture');
        },
        30_000,
      );
      // Watches from before show the object as the older kind has it, and the same version never comes twice.
      let number = 0;
      await until(
        'it says what it does not know',
        async () => {
          number += 1;
          await cluster.kubectl('patch', 'ccp', 'p', '--type=merge', '-p', JSON.stringify({ spec: { fromTheFuture: `${number}` } }));
          return (await cluster.condition('p', 'Accepted'))?.reason === 'Invalid';
        },
        60_000,
      );
      expect((await cluster.condition('p', 'Accepted'))?.message).toContain('fromTheFuture');
      await throughout(
        'nobody is lost, and the field stays',
        3_000,
        async () => cluster.lost === 0 && JSON.stringify((await cluster.get(POOL, 'p'))?.['spec']).includes('fromTheFuture'),
      );
    } finally {
      await cluster.admin.merge(ref, { spec: { versions: (JSON.parse(text) as { versions: object }).versions } }, 'test', signal());
    }
    // Nothing is written: the older kind shows the same version of the object without the field.
    await cluster.untilCondition('p', 'Accepted', 'True', 60_000);
    await change(30_000);
  }, 180_000);
});
