import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IN_ROTATION_CONDITION } from '../../src/api/v1alpha1/index.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import type { Viewers } from '../fakes/audience.ts';
import { until } from '../support/until.ts';
import { aPool, isReady, Lab, labelOf } from './lab.ts';

const BACKENDS = [
  { name: 'a', replicas: 2 },
  { name: 'b', replicas: 1 },
];
/** Versions of the pod template so far: each attempt has one of its own. */
let version = 1;
let lab: Lab;
let viewers: Viewers;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.install();
  await lab.applyPool('p', aPool(BACKENDS));
  await lab.untilCondition('p', 'Ready', 'True', 60_000);
});

afterAll(async () => {
  await lab.stop();
});

beforeEach(async () => {
  await lab.audience.leaveAll();
  await lab.cluster.kubectl('uncordon', 'node-1');
  await until(
    'everything is up',
    async () => (await lab.status('p'))?.summary === '2/2',
    60_000,
    () => lab.diagnosis(),
  );
  await lab.untilCondition('p', 'Progressing', 'False', 60_000);
  await until('every pod is Ready', async () => (await backendPods()).every(isReady), 30_000);
  viewers = await lab.connect('p', 200);
  await lab.served(viewers);
});

/** The pods as they are, where more than one of the three takes nobody: what should never be. */
function moment(pods: readonly KubeObject[]): string[] {
  const unready = pods.filter((pod) => !isTerminating(pod) && !isReady(pod));
  const missing = 3 - pods.filter((pod) => !isTerminating(pod)).length;
  return unready.length + missing < 2 ? [] : [JSON.stringify(pods.map((pod) => [pod.metadata.name, isTerminating(pod), pod['status']]))];
}

/** Pods of backends, those that are terminating among them. */
async function backendPods(): Promise<KubeObject[]> {
  return await lab.list(POD, 'cccam.dev/pool=p,cccam.dev/component=backend');
}

function isTerminating(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Has the clients of pods that are terminating leave them, a few at a time, as people who change the channel do. */
async function leaveEnding(): Promise<void> {
  const terminating = new Set((await backendPods()).filter(isTerminating).map(labelOf));
  const theirs = viewers.clients.filter((client) => client.servedBy !== null && terminating.has(client.servedBy));
  for (const client of theirs.slice(0, 20)) client.reconnect();
}

describe('a rollout of the backends', () => {
  it('replaces one pod at a time, each drained first, and cuts no session', async () => {
    const twoDown: string[] = [];
    const endedFull: string[] = [];
    const known = new Map<string, KubeObject>();
    await lab.applyPool('p', aPool(BACKENDS, {}, `${++version}`));
    await lab.untilCondition('p', 'Progressing', 'True/RollingOut');
    const isOver = async (): Promise<boolean> => {
      const pods = await backendPods();
      twoDown.push(...moment(pods));
      for (const [uid, pod] of known) {
        const label = labelOf(pod);
        const gone = pods.every((each) => each.metadata.uid !== uid);
        if (gone && viewers.clients.some((client) => client.servedBy === label)) endedFull.push(label);
        if (gone) known.delete(uid);
      }
      for (const pod of pods) known.set(pod.metadata.uid ?? '', pod);
      await leaveEnding();
      return pods.length === 3 && pods.every((pod) => pod.metadata.annotations?.['version'] === `${version}` && isReady(pod));
    };
    await until('every pod is new and in rotation', isOver, 150_000, () => lab.diagnosis());
    await lab.untilCondition('p', 'Progressing', 'False', 30_000);
    expect(twoDown).toEqual([]);
    expect(endedFull).toEqual([]);
    await lab.lostNobody();
  });

  it('does not go on while the new pod is not in rotation', async () => {
    // Nobody leaves: the first pod that goes keeps its sessions, and the next one must wait for it.
    await lab.applyPool('p', aPool(BACKENDS, {}, `${++version}`));
    await until('the first pod drains', async () => (await backendPods()).filter(isTerminating).length === 1, 30_000);
    const [first] = (await backendPods()).filter(isTerminating);
    const begun = performance.now();
    while (performance.now() - begun < 8_000) {
      const terminating = (await backendPods()).filter(isTerminating);
      expect(terminating.map(labelOf)).toEqual(first === undefined ? [] : [labelOf(first)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await lab.lostNobody();
    await until(
      'it goes on when they leave',
      async () => {
        await leaveEnding();
        return (await backendPods()).every((pod) => pod.metadata.annotations?.['version'] === `${version}` && isReady(pod));
      },
      150_000,
      () => lab.diagnosis(),
    );
    await lab.lostNobody();
  });
});

describe('kubectl drain of the node', () => {
  it('takes one pod after the other as the budget allows, each drained first, and loses no session', async () => {
    const before = (await backendPods()).map((pod) => pod.metadata.uid);
    const twoDown: string[] = [];
    let done = false;
    const draining = lab.cluster
      .kubectl('drain', 'node-1', '--pod-selector=cccam.dev/component=backend', '--ignore-daemonsets', '--delete-emptydir-data')
      .finally(() => {
        done = true;
      });
    await until('an eviction has begun', async () => (await backendPods()).some(isTerminating), 30_000);
    // There is no other node: the new pods may come to this one.
    await lab.cluster.kubectl('uncordon', 'node-1');
    await until(
      'every pod is replaced',
      async () => {
        const pods = await backendPods();
        twoDown.push(...moment(pods));
        await leaveEnding();
        return done && pods.length === 3 && pods.every((pod) => !before.includes(pod.metadata.uid) && isReady(pod));
      },
      150_000,
      () => lab.diagnosis(),
    );
    await draining;
    expect(twoDown).toEqual([]);
    await lab.lostNobody();
  });
});

describe('a pod', () => {
  it('is Ready only while every proxy routes to it', async () => {
    const [pod] = await lab.pods('p', 'b');
    const name = pod?.metadata.name ?? '';
    expect(await lab.podCondition(name, IN_ROTATION_CONDITION)).toBe('True');
    await lab.kubectl('annotate', `pod/${name}`, 'cccam.dev/drain=10m');
    await until('it is not Ready', async () => (await lab.podCondition(name, 'Ready')) === 'False', 10_000);
    await lab.kubectl('annotate', `pod/${name}`, 'cccam.dev/drain-');
    await until('it is Ready again', async () => (await lab.podCondition(name, 'Ready')) === 'True', 10_000);
    await until('its Deployment counts it', async () => {
      const status = (await lab.get(CHILD_TYPES.Deployment, 'p-b'))?.['status'] as { readyReplicas?: number } | undefined;
      return status?.readyReplicas === 1;
    });
  });
});
