import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { throughout, until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  await cluster.startOperator();
});

afterAll(async () => {
  await cluster.stop();
});

/** A pool of one backend, with that many pods, or with as many as somebody else decides. @param level shows in its pods */
async function apply(replicas: number | null, level: string): Promise<void> {
  const backend = { name: 'a', ...(replicas === null ? {} : { replicas }) };
  const template = aPodTemplate();
  const podTemplate = { ...template, metadata: { annotations: { level } } };
  await cluster.applyPool('p', {
    backends: [backend],
    podTemplate,
    proxy: { maxConnections: 500, replicas: 1, service: { type: 'ClusterIP' } },
  });
}

async function deployment(): Promise<{ replicas: number; level: string | undefined }> {
  const spec = (await cluster.get(CHILD_TYPES.Deployment, 'p-a'))?.['spec'] as
    | { replicas: number; template: { metadata: { annotations: Record<string, string> } } }
    | undefined;
  return { replicas: spec?.replicas ?? 0, level: spec?.template.metadata.annotations['level'] };
}

describe('the count of a backend', () => {
  it('stays as it is when the pool lets go of it, and is left to what scales the Deployment then', async () => {
    await apply(3, 'one');
    await until('three pods serve', async () => (await cluster.status('p'))?.backends[0]?.ready === 3, 60_000);
    const pods = cluster.kubelet.named('p-a-').map((pod) => pod.name);
    await apply(null, 'one');
    await until('the pool is seen', async () => (await cluster.condition('p', 'Accepted'))?.observedGeneration === 2);
    await throughout('no pod goes', 2_000, async () => (await deployment()).replicas === 3);
    expect(cluster.kubelet.named('p-a-').map((pod) => pod.name)).toEqual(pods);

    await cluster.kubectl('scale', 'deployment/p-a', '--replicas=5');
    await until('five pods serve', async () => (await cluster.status('p'))?.backends[0]?.ready === 5, 60_000);
    await apply(null, 'two');
    await until('another template is asked for', async () => (await deployment()).level === 'two');
    expect((await deployment()).replicas).toBe(5);
    expect(await cluster.events('p')).not.toContain('ChildRestored');
  });

  it('is the pool’s again as soon as the pool names it', async () => {
    await apply(2, 'two');
    await until('the pool counts', async () => (await deployment()).replicas === 2);
  });
});
