import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { Neighbours } from './neighbours.ts';

let neighbours: Neighbours;

beforeAll(async () => {
  neighbours = await Neighbours.create();
}, 120_000);

afterAll(async () => {
  await neighbours.stop();
});

/** A list that is short as a text, and twenty times as large as objects. */
const MANY_VALUES = `[${'{},'.repeat(300_000)}{}]`;

describe('a tenant who may edit one namespace', () => {
  it('makes a pool that is nested 5 000 deep: it is refused by name, and all others are reconciled, after a restart, too', async () => {
    const podTemplate = `${'{"a":'.repeat(5_000)}{}${'}'.repeat(5_000)}`;
    await neighbours.tenant.createText(
      `{"apiVersion":"cccam.dev/v1alpha1","kind":"CccamPool","metadata":{"name":"deep"},"spec":{"backends":[{"name":"a","replicas":1}],"podTemplate":${podTemplate}}}`,
    );
    await neighbours.bad.untilCondition('deep', 'Accepted', 'False');
    expect((await neighbours.bad.condition('deep', 'Accepted'))?.message).toContain('spec.podTemplate: expected at most 64 levels');
    await neighbours.nobodyElseIsHurt();
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });

  it('makes 70 ConfigMaps of 1 MB that say that they are ours', async () => {
    const labels = { 'app.kubernetes.io/managed-by': 'cccam-operator', 'cccam.dev/pool': 'nosuchpool' };
    for (let index = 0; index < 70; index += 1) {
      await neighbours.tenant.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `m${index}`, labels },
        data: { a: '<'.repeat(1_000_000) },
      });
    }
    await neighbours.nobodyElseIsHurt();
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });

  it('makes 30 pools of 1 MB: each is refused, with the size that it may have', async () => {
    const env = Array.from({ length: 10_000 }, (_, index) => ({ name: `N${index}`, value: 'x'.repeat(60) }));
    const podTemplate = { spec: { containers: [{ name: 'c', image: 'i', env }] } };
    for (let index = 0; index < 30; index += 1)
      await neighbours.tenant.createPool(`large${index}`, { backends: [{ name: 'a', replicas: 1 }], podTemplate });
    await neighbours.bad.untilCondition('large29', 'Accepted', 'False');
    expect((await neighbours.bad.condition('large29', 'Accepted'))?.message).toMatch(
      /spec\.podTemplate: expected at most 64 KiB, found \d+ KiB/,
    );
    await neighbours.nobodyElseIsHurt();
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });

  it('makes pools of 300 000 empty objects: each is refused by name', async () => {
    for (let index = 0; index < 5; index += 1)
      await neighbours.tenant.createText(
        `{"apiVersion":"cccam.dev/v1alpha1","kind":"CccamPool","metadata":{"name":"wide${index}"},` +
          `"spec":{"backends":[{"name":"a","replicas":1}],"podTemplate":{"x":${MANY_VALUES}}}}`,
      );
    await neighbours.bad.untilCondition('wide4', 'Accepted', 'False');
    expect((await neighbours.bad.condition('wide4', 'Accepted'))?.message).toMatch(/spec: expected at most 65536 values/);
    await neighbours.nobodyElseIsHurt();
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });

  it('writes a compressed state into the ConfigMap of their pool that would be millions of objects', async () => {
    const { bad, tenant } = neighbours;
    await tenant.createPool('bomb', { backends: [{ name: 'a', external: { address: '192.0.2.1' } }] });
    await until('its ConfigMap is there', async () => (await bad.get(CHILD_TYPES.ConfigMap, 'bomb-haproxy')) !== null);
    const bomb = gzipSync(`{"version":1,"roster":[],"spec":${MANY_VALUES}}`).toString('base64');
    const ref = { type: CHILD_TYPES.ConfigMap, namespace: bad.namespace, name: 'bomb-haproxy' };
    const patch = { data: { 'state.json': null }, binaryData: { 'state.json.gz': bomb } };
    await tenant.client.merge(ref, patch, 'tenant', AbortSignal.timeout(10_000));
    await neighbours.nobodyElseIsHurt();
    await until('it is put back', async () => !JSON.stringify(await bad.get(CHILD_TYPES.ConfigMap, 'bomb-haproxy')).includes(bomb));
    await neighbours.good.stopOperator(neighbours.operator);
    await tenant.client.merge(ref, patch, 'tenant', AbortSignal.timeout(10_000));
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });

  it('makes 400 pods with annotations of 200 KB', async () => {
    const { tenant } = neighbours;
    const labels = { 'cccam.dev/pool': 'bomb', 'cccam.dev/component': 'backend', 'cccam.dev/backend': 'a' };
    const annotations = { 'cccam.dev/port': '12000', 'cccam.dev/drain': 'x'.repeat(200_000) };
    for (let index = 0; index < 400; index += 1) {
      const metadata = { name: `pod${index}`, labels, annotations };
      await tenant.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'c', image: 'i' }] } });
    }
    await neighbours.nobodyElseIsHurt();
    await neighbours.restart();
    await neighbours.nobodyElseIsHurt();
  });
});
