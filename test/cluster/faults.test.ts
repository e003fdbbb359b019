import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/kube/resource.ts';
import type { Viewers } from '../fakes/audience.ts';
import { until } from '../support/until.ts';
import { aPool, isReady, Lab, labelOf } from './lab.ts';
import { processesOf, runOutOfMemory } from './processes.ts';

const BACKENDS = [
  { name: 'a', replicas: 1 },
  { name: 'b', replicas: 1 },
  { name: 'c', replicas: 1 },
];
/** What the status may take to say what is so, once it can be known. */
const TRUTH_MS = 5_000;
let lab: Lab;
let viewers: Viewers;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.install();
  await lab.applyPool('p', aPool(BACKENDS, { health: { interval: '2s', fastInterval: '500ms', timeout: '1s' } }));
  await lab.untilCondition('p', 'Ready', 'True', 60_000);
});

afterAll(async () => {
  await lab.stop();
});

beforeEach(async () => {
  await lab.audience.leaveAll();
  lab.audience.losses.splice(0);
  await untilWhole(90_000);
  viewers = await lab.connect('p', 90);
  await lab.served(viewers);
});

async function untilWhole(limitMs: number): Promise<void> {
  const isWhole = async (): Promise<boolean> => {
    const proxies = (await lab.pods('p', null)).filter(isReady);
    return (
      (await lab.status('p'))?.summary === '3/3' && proxies.length === 2 && (await lab.condition('p', 'ProxiesSynced'))?.status === 'True'
    );
  };
  await until('everything is up', isWhole, limitMs, () => lab.diagnosis());
}

async function podOf(backend: string | null): Promise<KubeObject> {
  const [pod] = await lab.pods('p', backend);
  if (pod === undefined) throw new Error(`there is no pod of ${backend}`);
  return pod;
}

/** Everybody is served again, and whoever has lost a session was served by that server. */
async function onlyLost(label: string): Promise<void> {
  await lab.served(viewers);
  expect(lab.audience.losses.filter((loss) => !loss.endsWith(` ${label}`))).toEqual([]);
}

async function untilState(backend: string, state: string, limitMs = TRUTH_MS): Promise<void> {
  const found = async () => (await lab.status('p'))?.backends.find((each) => each.name === backend)?.state;
  await until(`${backend} is ${state}`, async () => (await found()) === state, limitMs, found);
}

/** Restarts of a container so far. */
async function restarts(pod: KubeObject, container: string): Promise<number> {
  const status = (await lab.pod(pod.metadata.name))?.['status'] as Record<string, { name: string; restartCount: number }[] | undefined>;
  const all = [...(status['containerStatuses'] ?? []), ...(status['initContainerStatuses'] ?? [])];
  return all.find((each) => each.name === container)?.restartCount ?? 0;
}

describe('a server', () => {
  it('that hangs in the middle of a wave of clients costs no session but its own, and comes back', async () => {
    const pod = await podOf('a');
    const [server] = await processesOf(pod.metadata.uid ?? '', 'simulate');
    const wave = lab.connect('p', 60);
    process.kill(server ?? 0, 'SIGSTOP');
    try {
      await untilState('a', 'Down', 20_000);
      await lab.served(await wave);
      await onlyLost(labelOf(pod));
      expect((await wave).clients.map((client) => client.servedBy)).not.toContain(labelOf(pod));
    } finally {
      process.kill(server ?? 0, 'SIGCONT');
    }
    await untilState('a', 'Up', 20_000);
  });

  it('that is killed for want of memory costs no session but its own, and its container comes back', async () => {
    const pod = await podOf('b');
    const before = await restarts(pod, 'cccam');
    const [server] = await processesOf(pod.metadata.uid ?? '', 'simulate');
    await runOutOfMemory(server ?? 0);
    await until(
      'its container is restarted',
      async () => (await restarts(pod, 'cccam')) > before,
      30_000,
      () => lab.diagnosis(),
    );
    expect(JSON.stringify((await lab.pod(pod.metadata.name))?.['status'])).toContain('OOMKilled');
    await untilState('b', 'Up', 30_000);
    await onlyLost(labelOf(pod));
  });
});

describe('a proxy', () => {
  it('whose worker is killed loses its own sessions and no other, and is restarted with every weight and drain', async () => {
    const drained = await podOf('c');
    await lab.kubectl('annotate', `pod/${drained.metadata.name}`, 'cccam.dev/drain=30m');
    await untilState('c', 'Draining');
    const proxy = await podOf(null);
    const held = await lab.sessionsOf(proxy);
    const before = await restarts(proxy, 'haproxy');
    const processes = await processesOf(proxy.metadata.uid ?? '', 'haproxy');
    process.kill(Math.max(...processes), 'SIGKILL'); // the worker is younger than its master
    await until(
      'it is restarted',
      async () => (await restarts(proxy, 'haproxy')) > before,
      30_000,
      () => lab.diagnosis(),
    );
    await lab.served(viewers);
    expect(lab.lost).toBe(held);
    await untilSynced(30_000);
    const newcomers = await lab.connect('p', 60);
    await lab.served(newcomers);
    expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(labelOf(drained));
    await lab.kubectl('annotate', `pod/${drained.metadata.name}`, 'cccam.dev/drain-');
    await untilState('c', 'Up');
  });

  it('whose agent is killed keeps serving, and the next agent takes HAProxy over as it is', async () => {
    const proxy = await podOf(null);
    const haproxy = await restarts(proxy, 'haproxy');
    const before = await restarts(proxy, 'proxy-agent');
    const [agent] = await processesOf(proxy.metadata.uid ?? '', 'proxy-agent');
    process.kill(agent ?? 0, 'SIGKILL');
    await until('it is restarted', async () => (await restarts(proxy, 'proxy-agent')) > before, 30_000);
    await untilSynced(TRUTH_MS);
    expect(await restarts(proxy, 'haproxy')).toBe(haproxy);
    await lab.lostNobody();
  });
});

describe('the agent beside a server', () => {
  it('that is killed costs nothing, and the next one is heard by the proxies', async () => {
    const pod = await podOf('a');
    const server = await restarts(pod, 'cccam');
    const before = await restarts(pod, 'backend-agent');
    const [agent] = await processesOf(pod.metadata.uid ?? '', 'backend-agent');
    process.kill(agent ?? 0, 'SIGKILL');
    await until('it is restarted', async () => (await restarts(pod, 'backend-agent')) > before, 30_000);
    await until(
      'both proxies are linked',
      async () => (await lab.agentMetric(pod, 'cccam_backend_proxies').catch(() => null)) === 2,
      30_000,
    );
    expect(await restarts(pod, 'cccam')).toBe(server);
    await lab.lostNobody();
  });
});

describe('the node', () => {
  it('whose containerd is restarted loses no session', async () => {
    await lab.cluster.kill('containerd');
    await until(
      'the next one answers',
      async () =>
        await lab.cluster.importImage('localhost/pause:1').then(
          () => true,
          () => false,
        ),
      30_000,
    );
    const newcomers = await lab.connect('p', 30);
    await lab.served(newcomers);
    await untilWhole(30_000);
    await lab.lostNobody();
  });

  it('whose kubelet is away for a minute loses no session, and the status is true soon after it is back', async () => {
    await lab.cluster.kill('kubelet', true);
    const begun = performance.now();
    try {
      const newcomers = await lab.connect('p', 30);
      await lab.served(newcomers);
      const pod = await podOf('b');
      const [server] = await processesOf(pod.metadata.uid ?? '', 'simulate');
      process.kill(server ?? 0, 'SIGKILL'); // nobody is there to start it again
      await untilState('b', 'Down', 20_000);
      await onlyLost(labelOf(pod));
      await until('a minute has passed', () => performance.now() - begun > 60_000, 70_000);
    } finally {
      await lab.cluster.release('kubelet');
    }
    await until('the kubelet says that the node is ready', async () => (await lab.cluster.isUp()) === true, 30_000);
    const listening = async () => await lab.agentMetric(await podOf('b'), 'cccam_backend_sockets{state="listening"}');
    await until('the server is restarted', async () => ((await listening().catch(() => null)) ?? 0) > 0, 30_000);
    await untilState('b', 'Up');
    await untilWhole(30_000);
  });
});

async function untilSynced(limitMs: number): Promise<void> {
  await until(
    'both proxies run what was asked for',
    async () => (await lab.condition('p', 'ProxiesSynced'))?.status === 'True',
    limitMs,
    () => lab.diagnosis(),
  );
}
