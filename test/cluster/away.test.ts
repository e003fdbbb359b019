import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/kube/resource.ts';
import { POD } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPool, Lab, labelOf, OPERATOR_NAMESPACE } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.install();
  await lab.applyPool('p', aPool([{ name: 'a', replicas: 2 }]));
  await lab.untilCondition('p', 'Ready', 'True', 60_000);
  await until(
    'both pods serve',
    async () => (await lab.status('p'))?.backends[0]?.ready === 2,
    30_000,
    () => lab.diagnosis(),
  );
});

afterAll(async () => {
  await lab.stop();
});

async function scaleOperator(replicas: number): Promise<void> {
  await lab.cluster.kubectl('-n', OPERATOR_NAMESPACE, 'scale', 'deployment/cccam-operator', `--replicas=${replicas}`);
  await until(
    'there are as many',
    async () => {
      const names = await lab.cluster.kubectl('-n', OPERATOR_NAMESPACE, 'get', 'pods', '-o', 'name');
      return names.split('\n').filter((name) => name !== '').length === replicas;
    },
    60_000,
  );
}

async function oneOf(backend: string): Promise<KubeObject> {
  const [pod] = await lab.pods('p', backend);
  if (pod === undefined) throw new Error(`there is no pod of ${backend}`);
  return pod;
}

async function isGone(pod: KubeObject): Promise<boolean> {
  return (await lab.get(POD, pod.metadata.name))?.metadata.uid !== pod.metadata.uid;
}

describe('while no operator runs', () => {
  it('sessions live, new clients connect, and a deleted pod gets no new session and drains', async () => {
    const viewers = await lab.connect('p', 100);
    await lab.served(viewers);
    await scaleOperator(0);
    const pod = await oneOf('a');
    const theirs = viewers.clients.filter((client) => client.servedBy === labelOf(pod));
    expect(theirs.length).toBeGreaterThan(20);
    await lab.kubectl('delete', 'pod', pod.metadata.name, '--wait=false');
    await until('its agent says that it drains', async () => (await lab.agentMetric(pod, 'cccam_backend_draining')) === 1, 10_000);
    const newcomers = await lab.connect('p', 60);
    await lab.served(newcomers);
    expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(labelOf(pod));
    expect(theirs.map((client) => client.servedBy)).toEqual(theirs.map(() => labelOf(pod)));
    expect(await isGone(pod)).toBe(false);
    // From here on nobody but the two agents is there to see to it.
    await lab.cluster.kill('kube-apiserver', true);
    for (const client of theirs) client.reconnect();
    await until('they are served elsewhere', () => theirs.every((client) => ![null, labelOf(pod)].includes(client.servedBy)), 30_000);
    await lab.cluster.release('kube-apiserver');
    await until(
      'the pod has ended',
      async () => await isGone(pod).catch(() => false),
      90_000,
      () => lab.diagnosis(),
    );
    await lab.lostNobody();
    await scaleOperator(2);
    await until(
      'both pods serve',
      async () => (await lab.status('p'))?.backends[0]?.ready === 2,
      60_000,
      () => lab.diagnosis(),
    );
    await lab.lostNobody();
    await newcomers.leave();
    await viewers.leave();
  });
});
