import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { TestCluster } from './test-cluster.ts';

const POLICY = [
  ...['--service-types', 'ClusterIP,NodePort'],
  ...['--service-annotations', 'example.com/'],
  ...['--refused-networks', '10.0.0.0/8,fd00::/8'],
];

let cluster: TestCluster;
let pools = 0;

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  cluster.kubelet.idle = true;
  await cluster.startOperator({ args: POLICY });
});

afterAll(async () => {
  await cluster.stop();
});

function aPool(address: string, service: object = { type: 'ClusterIP' }): Record<string, unknown> {
  return { backends: [{ name: 'a', external: { address } }], proxy: { maxConnections: 100, service } };
}

describe('what the administrator of a cluster allows', () => {
  it.each([
    ['a type of Service', aPool('192.0.2.1', { type: 'LoadBalancer' }), /spec\.proxy\.service\.type/],
    [
      'an annotation of a Service',
      aPool('192.0.2.1', { type: 'ClusterIP', annotations: { 'cloud.example.org/lan': 'x' } }),
      /cloud\.example\.org/,
    ],
    ['a server in a network', aPool('10.1.2.3'), /spec\.backends\[0\]\.external\.address/],
    ['such a server in an IPv6 network', aPool('fd00::1'), /spec\.backends\[0\]\.external\.address/],
    ['such a server behind a translator', aPool('64:ff9b::10.1.2.3'), /spec\.backends\[0\]\.external\.address/],
  ])('keeps %s from a pool, which says so and makes nothing', async (_, spec, field) => {
    pools += 1;
    const name = `refused-${pools}`;
    await cluster.applyPool(name, spec);
    await cluster.untilCondition(name, 'Accepted', 'False');
    expect((await cluster.condition(name, 'Accepted'))?.message).toMatch(field);
    expect(await cluster.get(CHILD_TYPES.Deployment, `${name}-haproxy`)).toBeNull();
  });

  it('lets every other pool be, and a refused one once it is edited', async () => {
    const service = { type: 'NodePort', annotations: { 'example.com/lan': 'x' } };
    await cluster.applyPool('fine', aPool('192.0.2.1', service));
    await cluster.untilCondition('fine', 'Accepted', 'True');
    await cluster.applyPool('mended', aPool('10.1.2.3'));
    await cluster.untilCondition('mended', 'Accepted', 'False');
    await cluster.applyPool('mended', aPool('192.0.2.2'));
    await cluster.untilCondition('mended', 'Accepted', 'True');
  });

  it('holds for pools from before: the last valid spec stays but for servers that are refused now', async () => {
    await again([]);
    const backends = ['10.1.2.3', '192.0.2.3'].map((address, at) => ({ name: `b${at}`, external: { address } }));
    await cluster.applyPool('older', { ...aPool(''), backends });
    await until('both are served', async () => (await takingClients('older')).length === 2, 20_000);
    await again(POLICY);
    await cluster.untilCondition('older', 'Accepted', 'False');
    await until('one is', async () => (await takingClients('older')).length === 1, 20_000);
    expect(await takingClients('older')).toEqual(['192.0.2.3']);
  });
});

/** Starts another operator in place of the one that runs. */
async function again(args: readonly string[]): Promise<void> {
  for (const operator of cluster.operators) await cluster.stopOperator(operator);
  await cluster.startOperator({ args });
}

/** Addresses of the servers that its proxies are told to send clients to. */
async function takingClients(pool: string): Promise<string[]> {
  const data = (await cluster.get(CHILD_TYPES.ConfigMap, `${pool}-haproxy`))?.['data'] as Record<string, string> | undefined;
  const { servers } = JSON.parse(data?.['proxy.json'] ?? '{"servers":[]}') as { servers: { address: string; state: string }[] };
  return servers.filter(({ state }) => state === 'ready').map(({ address }) => address);
}
