import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;

/** Images so far: each attempt has one of its own. */
let images = 1;

const spec = (image: string) => ({
  backends: [
    { name: 'a', replicas: 2 },
    { name: 'b', replicas: 2 },
    { name: 'c', replicas: 1 },
  ],
  podTemplate: aPodTemplate(image),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  await cluster.startOperator();
  await cluster.applyPool('p', spec('oscam:1'));
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
  await until(
    'every pod serves',
    async () => (await cluster.status('p'))?.backends.every((backend) => backend.ready === backend.total && backend.total > 0) === true,
  );
  await until('every Deployment has seen it', async () => (await backendsDown()) === 0);
});

afterAll(async () => {
  await cluster.stop();
});

afterEach(async () => {
  await cluster.leaveAll();
});

async function deployment(backend: string) {
  const object = await cluster.get(CHILD_TYPES.Deployment, `p-${backend}`);
  const spec = object?.['spec'] as { paused?: boolean; template: { spec: { containers: { image: string }[] } } } | undefined;
  const status = object?.['status'] as { updatedReplicas?: number; availableReplicas?: number; replicas?: number };
  return { paused: spec?.paused === true, image: spec?.template.spec.containers[0]?.image, ...status };
}

/** Backends that are not whole, all seen in the same moment. */
async function backendsDown(): Promise<number> {
  const deployments = await cluster.list(CHILD_TYPES.Deployment, 'cccam.dev/component=backend');
  return deployments.filter((object) => {
    const { replicas = 1 } = object['spec'] as { replicas?: number };
    return ((object['status'] as { availableReplicas?: number }).availableReplicas ?? 0) < replicas;
  }).length;
}

describe('a changed pod template', () => {
  it('reaches one backend after the other, each drained first, and no session is lost', async () => {
    const viewers = cluster.connect('p', 30);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    const mostDown: number[] = [];
    const image = `oscam:${++images}`;
    let done = false;
    const watching = (async () => {
      while (!done) {
        mostDown.push(await backendsDown());
      }
    })();
    await cluster.applyPool('p', spec(image));
    await cluster.untilCondition('p', 'Progressing', 'True/RollingOut');
    // Their sessions hold the old pods; they leave one server after the other.
    const leaving = (async () => {
      while (!done) {
        for (const pod of cluster.kubelet.pods.values()) {
          const terminating = (await cluster.pod(pod.name))?.metadata.deletionTimestamp !== undefined;
          if (terminating) for (const client of viewers.clients) if (client.servedBy === pod.server?.label) client.reconnect();
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await until(
      'every backend has the new template',
      async () =>
        (await Promise.all(['a', 'b', 'c'].map(deployment))).every(
          (each) => each.image === image && !each.paused && each.updatedReplicas === each.replicas,
        ),
      60_000,
      () => cluster.tails(),
    );
    await cluster.untilCondition('p', 'Progressing', 'False', 30_000);
    done = true;
    await Promise.all([watching, leaving]);
    expect(Math.max(...mostDown)).toBe(1);
    expect(cluster.lost).toBe(0);
    expect(await cluster.events('p')).toContain('RolloutBegan');
    expect((await cluster.list(CHILD_TYPES.Deployment)).length).toBe(4);
  }, 120_000);

  it('waits while another backend is down, and goes on with the one that is down already', async () => {
    const image = `oscam:${++images}`;
    cluster.kubelet.unready.add('p-b-');
    const [pod] = cluster.kubelet.named('p-b-');
    if (pod !== undefined) await cluster.kubelet.setReady(pod, false);
    await until('the backend is not whole', async () => (await deployment('b')).availableReplicas !== 2);
    await cluster.applyPool('p', spec(image));
    await until('the one that is down is changed', async () => (await deployment('b')).image === image && !(await deployment('b')).paused);
    await until('the others are held', async () => (await deployment('a')).paused && (await deployment('c')).paused);
    cluster.kubelet.unready.clear();
    for (const each of cluster.kubelet.named('p-b-')) await cluster.kubelet.setReady(each, true);
    await until(
      'all have it',
      async () => (await Promise.all(['a', 'b', 'c'].map(deployment))).every((each) => each.image === image && !each.paused),
      60_000,
      () => cluster.tails(),
    );
  }, 120_000);
});
