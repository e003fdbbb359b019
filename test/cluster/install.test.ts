import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHILD_TYPES, POOL } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { isReady, Lab, OPERATOR_NAMESPACE } from './lab.ts';

let lab: Lab;

const CRD = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', plural: 'customresourcedefinitions' };
const ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' };
const NAME = 'quick-start';

beforeAll(async () => {
  lab = await Lab.create();
}, 120_000);

afterAll(async () => {
  await lab.stop();
});

/** The quick-start sample, with the image that this node has. */
async function sample(): Promise<{ kind: string; spec: object }> {
  const text = await readFile(`config/samples/cluster-${NAME}.yaml`, 'utf8');
  return parse(text.replace('cccam-operator:0.1.0', 'cccam-operator:test')) as { kind: string; spec: object };
}

describe('helm', () => {
  it('installs the operator in a namespace that enforces the restricted profile, and its own test passes', async () => {
    const notes = await lab.install();
    expect(notes).toContain('kubectl wait --for=condition=Ready ccp/living-room');
    const pods = await lab.cluster.kubectl('-n', OPERATOR_NAMESPACE, 'get', 'pods', '-o', 'name');
    expect(pods.trim().split('\n')).toHaveLength(2);
    expect(await lab.helm('test', 'cccam-operator', '--logs')).toContain('the operator is ready and manages 0 pools');
  });

  it('makes the quick-start sample Ready without a warning, and clients connect through its Service', async () => {
    expect(await lab.apply(await sample())).toBe(`cccampool.cccam.dev/${NAME} created\n`);
    await lab.kubectl('wait', '--for=condition=Ready', `ccp/${NAME}`, '--timeout=60s');
    expect((await lab.pods(NAME, null)).some(isReady)).toBe(true); // Ready means that clients are let in, too
    await until('both servers are in', async () => (await lab.status(NAME))?.summary === '2/2', 30_000);
    const viewers = await lab.connect(NAME, 40);
    await lab.served(viewers);
    expect(new Set(viewers.clients.map((client) => client.servedBy)).size).toBe(2);
    expect(await lab.kubectl('get', 'events')).not.toMatch(/FailedCreate|violates/);
  });

  it('upgrades with changed values, and no session is lost', async () => {
    await lab.install('logLevel=debug', 'replicas=1');
    const deployment = await lab.admin.get(
      { type: CHILD_TYPES.Deployment, namespace: OPERATOR_NAMESPACE, name: 'cccam-operator' },
      AbortSignal.timeout(5_000),
    );
    expect(JSON.stringify(deployment)).toContain('--log-level=debug');
    expect(deployment?.['status']).toMatchObject({ availableReplicas: 1 });
    await lab.lostNobody();
  });

  it('gives all rights in the named namespaces only, once there is a list of them', async () => {
    await lab.install(`watchNamespaces={${lab.namespace}}`);
    const roles = await lab.admin.list(
      { type: ROLE, namespace: '', selectors: {} },
      (object) => object.metadata.name,
      AbortSignal.timeout(5_000),
    );
    expect(roles.items.filter((name) => name.includes('cccam'))).toEqual(['cccam-operator-edit', 'cccam-operator-view']);
    await until('it leads and manages the pool', async () => (await lab.helmLog()).includes('"msg":"leads"'));
    await lab.kubectl('annotate', `ccp/${NAME}`, 'cccam.dev/paused=true');
    await lab.untilCondition(NAME, 'Progressing', 'False/Paused');
    await lab.kubectl('annotate', `ccp/${NAME}`, 'cccam.dev/paused-');
    await lab.untilCondition(NAME, 'Progressing', 'False/Settled');
  });

  it('leaves the custom resource, the pools and their sessions when it uninstalls, and nothing of its own', async () => {
    await lab.helm('uninstall', 'cccam-operator', '--wait', '--timeout', '60s');
    const left = async (): Promise<string[]> => {
      const names = await lab.cluster.kubectl('-n', OPERATOR_NAMESPACE, 'get', 'all,netpol,pdb,sa,role,rolebinding,lease', '-o', 'name');
      return names.split('\n').filter((name) => name.includes('cccam'));
    };
    await until('the pods have ended', async () => (await left()).length === 1, 30_000, left);
    expect(await left()).toEqual(['lease.coordination.k8s.io/cccam-operator']);
    const crd = await lab.admin.get({ type: CRD, namespace: '', name: 'cccampools.cccam.dev' }, AbortSignal.timeout(5_000));
    expect(crd?.metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
    expect(await lab.get(POOL, NAME)).not.toBeNull();
    const newcomers = await lab.connect(NAME, 20);
    await lab.served(newcomers);
    await lab.lostNobody();
  });

  it('takes the pools over again when it is installed again', async () => {
    const before = await lab.get(CHILD_TYPES.Deployment, `${NAME}-haproxy`);
    await lab.install();
    await lab.kubectl('patch', `ccp/${NAME}`, '--type=merge', '-p', '{"spec":{"drain":{"closePerSecond":7}}}');
    await until(
      'it manages the pool',
      async () => {
        const pool = (await lab.get(POOL, NAME)) as { metadata: { generation?: number }; status?: { observedGeneration?: number } } | null;
        return pool?.status?.observedGeneration === pool?.metadata.generation;
      },
      40_000,
    ); // whoever led before may have lost its rights before it could give the lease back
    const after = await lab.get(CHILD_TYPES.Deployment, `${NAME}-haproxy`);
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    await lab.untilCondition(NAME, 'Ready', 'True');
    await lab.lostNobody();
  });

  it('lets a user who may edit a namespace edit its pools, and one who may view it view them', async () => {
    const may = async (verb: string, role: string): Promise<string> => {
      await lab.kubectl('create', 'rolebinding', `${role}-${verb}`, `--clusterrole=${role}`, `--user=${role}er-${verb}`);
      return await lab.kubectl('auth', 'can-i', verb, 'cccampools.cccam.dev', `--as=${role}er-${verb}`).catch(() => 'no\n');
    };
    await until('the roles are aggregated', async () =>
      (await lab.kubectl('get', 'clusterrole', 'edit', '-o', 'yaml')).includes('cccampools'),
    );
    expect([await may('get', 'view'), await may('delete', 'view'), await may('delete', 'edit')]).toEqual(['yes\n', 'no\n', 'yes\n']);
  });

  it('hangs nothing when a pool and then the operator are deleted', async () => {
    await lab.audience.leaveAll();
    await lab.kubectl('delete', 'ccp', NAME, '--timeout=30s');
    await until('every pod is gone', async () => (await lab.kubectl('get', 'pods', '-o', 'name')) === '', 60_000);
    await lab.helm('uninstall', 'cccam-operator', '--wait', '--timeout', '60s');
    await lab.cluster.kubectl('delete', 'namespace', lab.namespace, '--timeout=60s');
  });
});
