import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '../../src/kube/resource.ts';
import { TOOLS } from './control-plane.ts';
import { TestCluster } from './test-cluster.ts';

const run = promisify(execFile);
const CHART = 'charts/cccam-operator';
const MONITORING = ['metrics.podMonitor.enabled=true', 'metrics.prometheusRule.enabled=true', 'metrics.dashboard.enabled=true'];

let folder: string;
let cluster: TestCluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccp-chart-'));
  cluster = await TestCluster.create(inject('access'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

/** What helm makes of the chart. @throws what helm says of values that it refuses */
async function text(...values: string[]): Promise<string> {
  const sets = values.flatMap((value) => ['--set', value]);
  const args = ['template', 'cccam-operator', CHART, '--namespace', cluster.namespace, ...sets];
  return (await run(join(TOOLS, 'helm'), args, { env: { ...process.env, HELM_CACHE_HOME: folder }, maxBuffer: 1e8 })).stdout;
}

async function render(...values: string[]): Promise<KubeObject[]> {
  return parseAllDocuments(await text(...values)).flatMap((document) =>
    document.contents === null ? [] : [document.toJS() as KubeObject],
  );
}

const names = (objects: readonly KubeObject[]): string[] =>
  objects.map(({ kind, metadata }) =>
    [metadata.namespace, kind, metadata.name].filter((part) => part !== undefined && part !== cluster.namespace).join('/'),
  );

async function operatorArgs(...values: string[]): Promise<string[]> {
  const deployment = (await render(...values)).find((object) => object.kind === 'Deployment');
  return (
    (deployment as unknown as { spec: { template: { spec: { containers: { args: string[] }[] } } } }).spec.template.spec.containers[0]
      ?.args ?? []
  );
}

describe('the chart', () => {
  it('makes these objects by default', async () => {
    expect(names(await render()).sort()).toEqual([
      'ClusterRole/cccam-operator',
      'ClusterRole/cccam-operator-edit',
      'ClusterRole/cccam-operator-view',
      'ClusterRoleBinding/cccam-operator',
      'CustomResourceDefinition/cccampools.cccam.dev',
      'Deployment/cccam-operator',
      'NetworkPolicy/cccam-operator',
      'Pod/cccam-operator-test',
      'PodDisruptionBudget/cccam-operator',
      'Role/cccam-operator-lease',
      'RoleBinding/cccam-operator-lease',
      'Service/cccam-operator',
      'ServiceAccount/cccam-operator',
    ]);
  });

  it.each([
    ['crds.enabled=false', ['CustomResourceDefinition/cccampools.cccam.dev'], []],
    ['rbac.aggregate=false', ['ClusterRole/cccam-operator-edit', 'ClusterRole/cccam-operator-view'], []],
    ['podDisruptionBudget.enabled=false', ['PodDisruptionBudget/cccam-operator'], []],
    ['replicas=1', ['PodDisruptionBudget/cccam-operator'], []],
    ['networkPolicy.enabled=false', ['NetworkPolicy/cccam-operator'], []],
    ['metrics.podMonitor.enabled=true', [], ['PodMonitor/cccam-operator', 'PodMonitor/cccam-operator-agents']],
    ['metrics.prometheusRule.enabled=true', [], ['PrometheusRule/cccam-operator']],
    ['metrics.dashboard.enabled=true', [], ['ConfigMap/cccam-operator-dashboard']],
    [
      'watchNamespaces={a,b}',
      ['ClusterRole/cccam-operator', 'ClusterRoleBinding/cccam-operator'],
      ['a/Role/cccam-operator', 'a/RoleBinding/cccam-operator', 'b/Role/cccam-operator', 'b/RoleBinding/cccam-operator'],
    ],
  ])('with %s leaves out %j and adds %j', async (value, without, added) => {
    const usual = names(await render());
    expect(names(await render(value)).sort()).toEqual([...usual.filter((name) => !without.includes(name)), ...added].sort());
  });

  it('is of the version of the program', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(parse(await readFile(`${CHART}/Chart.yaml`, 'utf8'))).toMatchObject({ version, appVersion: version });
    expect(await operatorArgs()).toContain(`--image=cccam-operator:${version}`);
    expect(await readFile('config/samples/cluster-quick-start.yaml', 'utf8')).toContain(`image: cccam-operator:${version}\n`);
  });

  it('keeps the custom resource when it is uninstalled, but for who says otherwise', async () => {
    const annotations = async (...values: string[]) =>
      (await render(...values)).find((object) => object.kind === 'CustomResourceDefinition')?.metadata.annotations ?? {};
    expect(await annotations()).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
    expect(await annotations('crds.keep=false')).not.toHaveProperty('helm.sh/resource-policy');
  });

  it('installs beside a custom resource that kubectl has brought, says so, and leaves it as it is', async () => {
    const crd = async (): Promise<unknown> => JSON.parse(await cluster.kubectl('get', 'crd', 'cccampools.cccam.dev', '-o', 'json'));
    const before = await crd();
    const helm = async (...args: string[]): Promise<string> => {
      const env = { ...process.env, HELM_CACHE_HOME: folder, KUBECONFIG: cluster.access.kubeconfig };
      return (await run(join(TOOLS, 'helm'), [...args, '--namespace', cluster.namespace], { env })).stdout;
    };
    try {
      expect(await helm('install', 'second', CHART)).toMatch(/was already installed, by kubectl or by another release/);
      expect(await crd()).toEqual(before);
    } finally {
      await helm('uninstall', 'second');
    }
    expect(await crd()).toEqual(before);
  });

  it('gives the operator exactly the rights with which it is tested', async () => {
    const shipped = parseAllDocuments(await readFile('config/rbac/operator.yaml', 'utf8')).map((each) => each.toJS() as { rules: unknown });
    const objects = await render();
    const rules = (name: string) => objects.find((each) => each.metadata.name === name && each['rules'] !== undefined)?.['rules'];
    expect(rules('cccam-operator')).toEqual(shipped[0]?.rules);
    expect(rules('cccam-operator-lease')).toEqual(shipped[1]?.rules);
  });

  it('tells the operator what the values say', async () => {
    const args = await operatorArgs(
      'watchNamespaces={a,b}',
      'metrics.namespaces={monitoring}',
      'image.tag=v9',
      'workers=3',
      'logLevel=warn',
    );
    expect(args).toEqual(
      expect.arrayContaining([
        '--namespaces=a,b',
        `--agent-peers=${cluster.namespace},monitoring`,
        '--image=cccam-operator:v9',
        '--workers=3',
        '--log-level=warn',
      ]),
    );
  });

  it.each([
    'imgae.tag=1',
    'replicas=-1',
    'replicas=two',
    'logLevel=loud',
    'image.pullPolicy=Sometimes',
    'image.repository=x\n      privileged: true',
    'haproxyImage=haproxy:3.0 --privileged',
    'watchNamespaces={tv,tv}',
    'watchNamespaces={Not_A_Name}',
    'networkPolicy.apiServerPorts={0}',
    'metrics.podMonitor.interval=often',
  ])('refuses %j', async (value) => {
    await expect(text(value)).rejects.toThrow(/values don't meet the specifications of the schema/);
  });

  it('is accepted by the API server as a whole, whatever is switched on, and breaks no rule of the restricted profile', async () => {
    await cluster.kubectl(
      'label',
      'namespace',
      cluster.namespace,
      ...['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`),
    );
    await writeFile(
      join(folder, 'monitoring.yaml'),
      ['podmonitors', 'prometheusrules'].map((plural) => stringify(monitoringCrd(plural))).join('---\n'),
    );
    await cluster.kubectl('apply', '-f', join(folder, 'monitoring.yaml'));
    await cluster.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
    for (const values of [[], MONITORING, ['crds.keep=false', 'replicas=1'], [`watchNamespaces={${cluster.namespace}}`, ...MONITORING]]) {
      const file = join(folder, 'all.yaml');
      await writeFile(file, await text(...values));
      const { stdout, stderr } = await run(join(TOOLS, 'kubectl'), [
        '--kubeconfig',
        cluster.access.kubeconfig,
        'apply',
        '--server-side',
        '--force-conflicts',
        '--dry-run=server',
        '-f',
        file,
      ]);
      expect(stderr).not.toMatch(/warning/i);
      expect(stdout.trim().split('\n')).toHaveLength((await render(...values)).length);
    }
  });
});

/** The kinds of the Prometheus operator, as far as that they are there. */
function monitoringCrd(plural: string): object {
  const kind = plural === 'podmonitors' ? 'PodMonitor' : 'PrometheusRule';
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}
