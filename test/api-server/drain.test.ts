import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { DRAIN_ANNOTATION, DRAIN_SINCE_ANNOTATION, DRAINED_CONDITION, IN_ROTATION_CONDITION } from '../../src/api/v1alpha1/index.ts';
import { runCommands } from '../../src/haproxy/runtime-socket.ts';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import type { Viewers } from '../fakes/audience.ts';
import { throughout, until } from '../support/until.ts';
import { evict } from './eviction.ts';
import { ended, reload } from './proxy-processes.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';
import type { RunningPod } from './test-kubelet.ts';

let cluster: TestCluster;
let viewers: Viewers;

const SPEC = {
  backends: [
    { name: 'a', replicas: 2 },
    { name: 'b', replicas: 1 },
  ],
  podTemplate: aPodTemplate(),
  drain: { deadline: '10m', closePerSecond: 20 },
  proxy: { maxConnections: 2_000, service: { type: 'ClusterIP' } },
};

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
  await cluster.startOperator();
  await cluster.applyPool('p', SPEC);
  await cluster.untilCondition('p', 'Ready', 'True', 30_000);
  await settled();
});

afterAll(async () => {
  await cluster.stop();
});

beforeEach(async () => {
  expect(cluster.kubelet.errors).toEqual([]);
  // Whatever a test before has left: each begins with everything up and nobody there.
  await cluster.leaveAll();
  for (const pod of cluster.kubelet.named('p-')) if (pod.server !== undefined) await annotate(pod, null).catch(() => undefined);
  await cluster.applyPool('p', SPEC);
  await until('the pods are there', () => cluster.kubelet.named('p-a-').length === 2 && cluster.kubelet.named('p-b-').length === 1, 30_000);
  await settled();
});

async function settled(): Promise<void> {
  await until(
    'every server is up and nothing is under way',
    async () => {
      const status = await cluster.status('p');
      return status?.summary === '2/2' && status.conditions.every((each) => each.type !== 'Progressing' || each.status === 'False');
    },
    30_000,
    () => cluster.tails(),
  );
}

/** Sessions on a pod, over whatever proxy. */
function sessions(pod: RunningPod): number {
  return pod.server?.sessions ?? 0;
}

async function arrive(count: number): Promise<void> {
  viewers = cluster.connect('p', count);
  await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
}

function podOf(backend: string): RunningPod {
  const [pod] = cluster.kubelet.named(`p-${backend}-`);
  if (pod === undefined) throw new Error(`no pod of ${backend}`);
  return pod;
}

async function annotate(pod: RunningPod, value: string | null): Promise<void> {
  const ref = { type: POD, namespace: cluster.namespace, name: pod.name };
  await cluster.admin.merge(ref, { metadata: { annotations: { [DRAIN_ANNOTATION]: value } } }, 'kubectl', new AbortController().signal);
}

/** Whether every proxy sends nobody new to a pod. */
async function isDraining(pod: RunningPod): Promise<boolean> {
  for (const { proxy } of cluster.kubelet.named('p-haproxy')) {
    const [answer = ''] = await runCommands(`${proxy?.folder}/run/runtime.sock`, ['show servers state']);
    const admin = Number(
      answer
        .split('\n')
        .find((line) => line.includes(` ${pod.name}-`))
        ?.split(' ')[6] ?? 0,
    );
    if ((admin & 0x08) === 0) return false;
  }
  return true;
}

async function serverStatus(pod: RunningPod) {
  const status = await cluster.status('p');
  return status?.backends.flatMap((backend) => backend.servers).find((server) => server.name.startsWith(pod.name));
}

/** Whether a number in the status is as near as it is promised to be: it is written again when it has moved by a tenth. */
function tells(count: number | undefined, sessions: number): boolean {
  return count !== undefined && Math.abs(count - sessions) < Math.max(1, count / 10);
}

describe('a pod with the drain annotation', () => {
  it('gets no new session, keeps those that it has, and counts down over two proxies with an old worker each', async () => {
    await arrive(40);
    await reload(cluster.kubelet.named('p-haproxy'));
    const later = cluster.connect('p', 20);
    await until('all are served', () => later.clients.every((client) => client.servedBy !== null));
    const pod = podOf('a');
    const held = sessions(pod);
    expect(held).toBeGreaterThan(8);
    const { lost } = cluster;
    await annotate(pod, '10m');
    await until('both proxies have heard of it', async () => await isDraining(pod)); // how soon says the bench
    const newcomers = cluster.connect('p', 30);
    await until('newcomers are served', () => newcomers.clients.every((client) => client.servedBy !== null));
    expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(pod.server?.label);
    expect(sessions(pod)).toBe(held);
    await until('the status tells', async () => (await serverStatus(pod))?.state === 'Draining');
    await until('and counts', async () => tells((await serverStatus(pod))?.sessions, held), 15_000);
    expect((await serverStatus(pod))?.deadline).toBeDefined();
    expect(await cluster.podCondition(pod.name, DRAINED_CONDITION)).toBe('False');
    await until('it is out of rotation', async () => (await cluster.podCondition(pod.name, IN_ROTATION_CONDITION)) === 'False');
    await later.leave();
    await until(
      'the status counts down',
      async () => tells((await serverStatus(pod))?.sessions, sessions(pod)),
      20_000,
      async () => [await serverStatus(pod), sessions(pod)],
    );
    expect(sessions(pod)).toBeGreaterThan(0);
    const waiting = cluster.kubectl('wait', `--for=condition=${DRAINED_CONDITION}`, `pod/${pod.name}`, '--timeout=30s');
    await throughout(
      'nobody says that it is empty',
      500,
      async () => (await cluster.podCondition(pod.name, DRAINED_CONDITION)) === 'False',
    );
    await viewers.leave();
    await waiting;
    await until('the status tells, too', async () => (await serverStatus(pod))?.state === 'Drained');
    expect(cluster.lost).toBe(lost);
    await newcomers.leave();
  });

  it('is chosen first when its backend is scaled down', async () => {
    const drained = cluster.kubelet.named('p-a-')[1] ?? podOf('a');
    await annotate(drained, 'true');
    await until('it is drained', async () => (await cluster.podCondition(drained.name, DRAINED_CONDITION)) === 'True');
    await cluster.applyPool('p', { ...SPEC, backends: [{ name: 'a', replicas: 1 }, SPEC.backends[1]] });
    await until('it is gone', async () => (await cluster.pod(drained.name)) === null, 20_000);
    await until('the other one stays', () => cluster.kubelet.named('p-a-').length === 1);
    await cluster.applyPool('p', SPEC);
    await until('there are two again', () => cluster.kubelet.named('p-a-').length === 2);
    await settled();
  });

  it('comes back when the annotation is taken away', async () => {
    const pod = podOf('a');
    await annotate(pod, 'true');
    await until('it drains', async () => (await serverStatus(pod))?.state === 'Drained');
    await annotate(pod, null);
    await until('it is up again', async () => (await serverStatus(pod))?.state === 'Up');
    await until('and in rotation', async () => (await cluster.podCondition(pod.name, IN_ROTATION_CONDITION)) === 'True');
    expect(await cluster.podCondition(pod.name, DRAINED_CONDITION)).toBe('False');
    expect((await cluster.pod(pod.name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION]).toBeUndefined();
    await settled();
  });

  it('has what is left closed at the set pace when its deadline has passed, by the clock from before a change of leader', async () => {
    await arrive(60);
    const pod = podOf('b');
    const held = sessions(pod);
    await annotate(pod, '8s');
    const begun = performance.now();
    await until(
      'the clock is written down',
      async () => (await cluster.pod(pod.name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION] !== undefined,
    );
    const since = (await cluster.pod(pod.name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION];
    const [first] = cluster.operators;
    if (first !== undefined) await cluster.stopOperator(first);
    await cluster.startOperator();
    await until('sessions are being closed', () => sessions(pod) < held, 20_000);
    const startedAt = performance.now() - begun;
    expect(startedAt).toBeGreaterThan(7_500);
    expect(startedAt).toBeLessThan(11_000);
    expect(sessions(pod)).toBeGreaterThan(held - 20); // not all at once: 20 per second and proxy
    await until('all are closed', () => sessions(pod) === 0, 15_000);
    expect((await cluster.pod(pod.name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION]).toBe(since);
    await until('it is drained', async () => (await cluster.podCondition(pod.name, DRAINED_CONDITION)) === 'True');
    await annotate(pod, null);
    await settled();
    await viewers.leave();
  });

  it('has its deadline kept by proxies whose clocks are ten minutes wrong, either way', async () => {
    const proxies = cluster.kubelet.named('p-haproxy-');
    const skew = async (...skews: number[]): Promise<void> => {
      for (const [index, proxy] of proxies.entries()) {
        if (proxy.proxy !== undefined) await ended(proxy.proxy.agent);
        await cluster.kubelet.startAgent(proxy, skews[index] ?? 0);
      }
      await cluster.untilCondition('p', 'ProxiesSynced', 'True', 30_000);
    };
    await skew(600_000, -600_000);
    try {
      await arrive(60);
      const pod = podOf('b');
      const held = sessions(pod);
      await annotate(pod, '8s');
      const begun = performance.now();
      await until('sessions are being closed', () => sessions(pod) < held, 20_000);
      expect(performance.now() - begun).toBeGreaterThan(7_000);
      await until('all are closed, by both proxies', () => sessions(pod) === 0, 15_000);
      expect(performance.now() - begun).toBeLessThan(15_000);
      await annotate(pod, null);
    } finally {
      await skew(0, 0);
    }
    await settled();
    await viewers.leave();
  });

  it('is drained although the annotation cannot be read, and an event says so', async () => {
    const pod = podOf('b');
    await annotate(pod, 'soon; set server x');
    await until('it is drained', async () => (await serverStatus(pod))?.state === 'Drained');
    await until('an event tells', async () => (await cluster.events('p')).includes('DrainAnnotationInvalid'));
    await annotate(pod, null);
    await settled();
  });
});

describe('a pod that ends', () => {
  it.each(['deleted', 'evicted'])('is drained while it terminates when it is %s', async (how) => {
    await arrive(30);
    const pod = podOf('a');
    const held = sessions(pod);
    expect(held).toBeGreaterThan(0);
    const lost = cluster.lost;
    if (how === 'deleted') await cluster.kubectl('delete', 'pod', pod.name, '--wait=false');
    else await evict(cluster, pod.name);
    await until('both proxies have heard of it', async () => await isDraining(pod));
    await until('the status tells', async () => (await serverStatus(pod))?.state === 'Draining');
    const newcomers = cluster.connect('p', 20);
    await until('newcomers are served', () => newcomers.clients.every((client) => client.servedBy !== null));
    expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(pod.server?.label);
    expect(sessions(pod)).toBe(held);
    expect(cluster.lost).toBe(lost);
    await viewers.leave();
    await until('it is gone', async () => (await cluster.pod(pod.name)) === null);
    await until('its server is gone', async () => (await serverStatus(pod)) === undefined);
    await newcomers.leave();
    await settled();
  });
});

describe('a backend without a pod', () => {
  it('has a status all the same, with no server in it', async () => {
    await cluster.applyPool('p', { ...SPEC, backends: [{ name: 'a', replicas: 0 }, SPEC.backends[1]] });
    await until(
      'it has no server any more',
      async () => (await cluster.status('p'))?.backends.find((backend) => backend.name === 'a')?.servers.length === 0,
      20_000,
      () => cluster.tails(),
    );
    expect(await cluster.log()).not.toContain('422 Invalid');
  });
});

describe('a backend that leaves the spec', () => {
  it('drains before its pods go', async () => {
    await arrive(30);
    const pod = podOf('b');
    const held = sessions(pod);
    const { lost } = cluster;
    expect(held).toBeGreaterThan(0);
    await cluster.applyPool('p', { ...SPEC, backends: [SPEC.backends[0]] });
    await until('it drains', async () => (await serverStatus(pod))?.state === 'Draining');
    await throughout('its pod stays', 1_000, async () => (await cluster.pod(pod.name))?.metadata.deletionTimestamp === undefined);
    expect(sessions(pod)).toBe(held);
    expect(cluster.lost).toBe(lost);
    await viewers.leave();
    await until('its Deployment is gone', async () => (await cluster.get(CHILD_TYPES.Deployment, 'p-b')) === null);
    await until('its pod is gone', async () => (await cluster.pod(pod.name)) === null);
    await until('the status has forgotten it', async () => (await cluster.status('p'))?.backends.length === 1);
  });
});
