import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/kube/resource.ts';
import { POD } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPool, isReady, Lab, OPERATOR_NAMESPACE } from './lab.ts';
import { processesOf } from './processes.ts';

const run = promisify(execFile);

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.install();
});

afterAll(async () => {
  await lab.stop();
});

async function isGone(pod: KubeObject): Promise<boolean> {
  return (await lab.get(POD, pod.metadata.name))?.metadata.uid !== pod.metadata.uid;
}

/** Two proxies, each with some of the clients. */
async function audience(pool: string, drain: object) {
  await lab.applyPool(pool, aPool([{ name: 'a', replicas: 1 }], { drain }));
  await lab.untilCondition(pool, 'Ready', 'True', 60_000);
  await until(
    'both proxies are ready',
    async () => (await ready(pool)).length === 2,
    30_000,
    () => lab.diagnosis(),
  );
  const [terminating, other] = await ready(pool);
  if (terminating === undefined || other === undefined) throw new Error('there are no two proxies');
  let viewers = await lab.connect(pool, 100);
  const isShared = async (): Promise<boolean> => {
    await lab.served(viewers);
    const counts = async () => [await lab.sessionsOf(terminating), await lab.sessionsOf(other)] as const;
    await until(
      'all are counted',
      async () => (await counts()).reduce((sum, count) => sum + count) === viewers.clients.length,
      15_000,
      counts,
    );
    if (Math.min(...(await counts())) > 10) return true;
    // The node hears of a new proxy a moment after it is ready.
    await viewers.leave();
    viewers = await lab.connect(pool, 100);
    return false;
  };
  await until('each has some', isShared, 30_000, () => lab.diagnosis());
  return { viewers, terminating, other };
}

async function ready(pool: string): Promise<KubeObject[]> {
  return (await lab.pods(pool, null)).filter(isReady);
}

describe('a proxy pod that is deleted', () => {
  it('keeps its sessions until they leave, while new clients go to the others', async () => {
    const { terminating, viewers } = await audience('p', { deadline: '5m' });
    const held = await lab.sessionsOf(terminating);
    await lab.kubectl('delete', 'pod', terminating.metadata.name, '--wait=false');
    await until(
      'another one is ready',
      async () => (await ready('p')).filter((pod) => pod.metadata.uid !== terminating.metadata.uid).length === 2,
      60_000,
    );
    expect(await isGone(terminating)).toBe(false);
    const newcomers = await lab.connect('p', 60);
    await lab.served(newcomers);
    expect(await lab.sessionsOf(terminating)).toBe(held);
    await lab.lostNobody();
    await viewers.leave();
    await until(
      'it ends when the last one has left',
      () => isGone(terminating),
      60_000,
      () => lab.diagnosis(),
    );
    await lab.lostNobody();
    await newcomers.leave();
  });

  it('closes the remaining sessions at the deadline, at the set pace, and they are served elsewhere', async () => {
    const { terminating, viewers } = await audience('q', { deadline: '20s', closePerSecond: 20 });
    const held = await lab.sessionsOf(terminating);
    const before = lab.lost;
    await lab.kubectl('delete', 'pod', terminating.metadata.name, '--wait=false');
    const begun = performance.now();
    await until('somebody is closed', () => lab.lost > before, 60_000);
    expect(performance.now() - begun).toBeGreaterThan(18_000);
    const first = performance.now();
    await until(
      'it ends',
      () => isGone(terminating),
      60_000,
      () => lab.diagnosis(),
    );
    expect(lab.lost - before).toBe(held);
    lab.audience.losses.splice(0); // these had to lose theirs
    // Twenty a second and not all at once; the machine may make it slower.
    expect(performance.now() - first).toBeGreaterThan((held / 20 - 1) * 1_000);
    await lab.served(viewers);
    await viewers.leave();
  });
});

describe('an operator that is cut off from one of three proxies', () => {
  const proxy = { maxConnections: 2_000, replicas: 3, service: { type: 'NodePort' } };
  const spec = (weight: number): object => aPool([{ name: 'a', replicas: 1, weight }], { proxy });

  /** Drops what comes to a pod from the pods of the operator, or no longer. */
  async function cut(action: '-I' | '-D', pod: KubeObject): Promise<void> {
    const [agent] = await processesOf(pod.metadata.uid ?? '', 'proxy-agent');
    const selected = { type: POD, namespace: OPERATOR_NAMESPACE, selectors: {} };
    const { items } = await lab.admin.list(selected, (object) => object['status'] as { podIP: string }, AbortSignal.timeout(15_000));
    for (const { podIP } of items)
      await run('nsenter', ['-t', String(agent), '-n', 'iptables', '-w', action, 'INPUT', '-s', podIP, '-j', 'DROP']);
  }

  it('serves through all three, names the one, and hears it again within seconds of its return', async () => {
    await lab.applyPool('three', spec(10));
    await until(
      'three are ready',
      async () => (await ready('three')).length === 3,
      90_000,
      () => lab.diagnosis(),
    );
    await lab.untilCondition('three', 'ProxiesSynced', 'True', 30_000);
    const viewers = await lab.connect('three', 60);
    await lab.served(viewers);
    const [away] = await ready('three');
    if (away === undefined) throw new Error('there is no proxy');
    await cut('-I', away);
    try {
      await lab.applyPool('three', spec(20));
      const told = async (): Promise<string> => JSON.stringify(await lab.condition('three', 'ProxiesSynced'));
      const isNamed = async (): Promise<boolean> => /"2 of 3/.test(await told()) && (await told()).includes(away.metadata.name);
      await until('it is named', isNamed, 60_000, told);
      const status = await lab.status('three');
      expect([status?.backends[0]?.weight, status?.proxies]).toMatchObject([20, { desired: 3 }]);
      await lab.served(await lab.connect('three', 30));
      expect((await ready('three')).length).toBe(3);
    } finally {
      await cut('-D', away);
    }
    await lab.untilCondition('three', 'ProxiesSynced', 'True', 15_000);
    await lab.lostNobody();
    await viewers.leave();
  });
});
