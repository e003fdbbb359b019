import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRAIN_SINCE_ANNOTATION, TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import { until } from '../haproxy/until.ts';
import { aPool, isReady, Lab } from './lab.ts';

const run = promisify(execFile);
const PREVIOUS = 'cccam-operator:previous';
let lab: Lab;

beforeAll(async () => {
  await buildPrevious();
  lab = await Lab.create();
  await lab.cluster.importImage(PREVIOUS);
}, 300_000);

afterAll(async () => {
  await lab.stop();
});

/** The image of the commit before this one; of this one where its past was not fetched. */
async function buildPrevious(): Promise<void> {
  const { stdout } = await run('git', ['rev-parse', '--verify', '--quiet', 'HEAD~1']).catch(() => ({ stdout: 'HEAD' }));
  const folder = await mkdtemp(join(tmpdir(), 'ccp-previous-'));
  try {
    await run('bash', ['-c', 'git archive "$1" | tar -x -C "$2"', 'bash', stdout.trim(), folder]);
    await run('scripts/image.sh', [PREVIOUS, folder], { env: { ...process.env, CCCAM_BASES: process.env['CCCAM_BASES'] ?? 'debian' } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function podsOfPool(): Promise<KubeObject[]> {
  return await lab.list(POD, 'cccam.dev/pool=p');
}

function agentImage(pod: KubeObject): string | undefined {
  return (pod['spec'] as { initContainers?: { image: string }[] }).initContainers?.[0]?.image;
}

/** Restarts of everything but the agents. */
function restarts(pods: readonly KubeObject[]): number {
  return pods
    .flatMap((pod) => (pod['status'] as { containerStatuses?: { restartCount: number }[] }).containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
}

/** Names of the pod templates: where an upgrade changes them, pods are replaced for it. */
async function templates(): Promise<string[]> {
  const deployments = await lab.list(CHILD_TYPES.Deployment, 'cccam.dev/pool=p');
  return deployments.map(({ metadata }) => metadata.annotations?.[TEMPLATE_ANNOTATION] ?? '').sort();
}

/** The same pods, all with that image in their agents. */
async function untilAgents(image: string, uids: readonly (string | undefined)[]): Promise<void> {
  await until(
    `every agent is of ${image}`,
    async () => {
      const pods = await podsOfPool();
      return pods.every((pod) => agentImage(pod) === image) && pods.filter((pod) => isReady(pod)).length >= uids.length - 1;
    },
    120_000,
    () => lab.diagnosis(),
  );
  expect((await podsOfPool()).map((pod) => pod.metadata.uid).sort()).toEqual([...uids].sort());
  expect(restarts(await podsOfPool())).toBe(0);
}

describe('an upgrade from the previous commit and back', () => {
  it('replaces the agents in the running pods, keeps a drain that is under way, and loses nobody', async () => {
    await lab.install('image.tag=previous');
    await lab.applyPool(
      'p',
      aPool([
        { name: 'a', replicas: 2 },
        { name: 'b', replicas: 1 },
      ]),
    );
    await lab.untilCondition('p', 'Ready', 'True', 60_000);
    await until(
      'all serve',
      async () => (await lab.status('p'))?.summary === '2/2',
      30_000,
      () => lab.diagnosis(),
    );
    const viewers = await lab.connect('p', 100);
    await lab.served(viewers);
    const uids = (await podsOfPool()).map((pod) => pod.metadata.uid);
    const [draining] = await lab.pods('p', 'a');
    const name = draining?.metadata.name ?? '';
    await lab.kubectl('annotate', `pod/${name}`, 'cccam.dev/drain=30m');
    const since = async () => (await lab.pod(name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION];
    await until('its clock runs', async () => (await since()) !== undefined);
    const begun = await since();

    const before = await templates();
    await lab.install();
    // A commit that changes the pods' templates replaces pods, each drained first; any other one leaves them as they are.
    const changed = async (): Promise<boolean> => JSON.stringify(await templates()) !== JSON.stringify(before);
    const begins = async (): Promise<boolean> =>
      (await changed()) || (await podsOfPool()).some((pod) => agentImage(pod) === 'cccam-operator:test');
    await until('the new operator looks after the pool', begins, 60_000, () => lab.diagnosis());
    const inPlace = !(await changed());
    if (inPlace) await untilAgents('cccam-operator:test', uids);
    await lab.lostNobody();
    await lab.install('image.tag=previous');
    if (inPlace) await untilAgents(PREVIOUS, uids);

    expect(await since()).toBe(begun);
    const newcomers = await lab.connect('p', 40);
    await lab.served(newcomers);
    expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(name.slice(0, 20));
    await lab.lostNobody();
    await newcomers.leave();
    await viewers.leave();
  });
});
