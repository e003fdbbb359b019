import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRAIN_SINCE_ANNOTATION, TEMPLATE_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { CHILD_TYPES, POD } from '../../src/operator/resources.ts';
import { until } from '../support/until.ts';
import { aPool, isReady, Lab } from './lab.ts';

const run = promisify(execFile);
/** This commit under another name: an update that changes nothing but the image. */
const SAME = 'cccam-operator:same';
/** The commit before this one. */
const PREVIOUS = 'cccam-operator:previous';
let lab: Lab;

beforeAll(async () => {
  await build(SAME, 'HEAD');
  await build(PREVIOUS, await previousCommit());
  lab = await Lab.create();
  await lab.cluster.importImage(SAME);
  await lab.cluster.importImage(PREVIOUS);
}, 300_000);

afterAll(async () => {
  await lab.stop();
});

/** A clone without its past has no previous commit: this one stands for it, and only the first of the two tests shows anything then. */
async function previousCommit(): Promise<string> {
  const found = await run('git', ['rev-parse', '--verify', '--quiet', 'HEAD~1']).catch(() => null);
  if (found === null) console.warn('upgrade: there is no previous commit in this clone, so this one is compared with itself');
  return found?.stdout.trim() ?? 'HEAD';
}

async function build(image: string, commit: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ccp-image-'));
  try {
    await run('bash', ['-c', 'git archive "$1" | tar -x -C "$2"', 'bash', commit, folder]);
    await run('scripts/image.sh', [image, folder], { env: { ...process.env, CCCAM_BASES: process.env['CCCAM_BASES'] ?? 'debian' } });
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

/** A pool with viewers on it and a drain under way, made by an operator of that image. */
async function pool(tag: string) {
  await lab.install(`image.tag=${tag}`);
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
  const [draining] = await lab.pods('p', 'a');
  const name = draining?.metadata.name ?? '';
  await lab.kubectl('annotate', `pod/${name}`, 'cccam.dev/drain=30m');
  const since = async () => (await lab.pod(name))?.metadata.annotations?.[DRAIN_SINCE_ANNOTATION];
  await until('its clock runs', async () => (await since()) !== undefined);
  return { viewers, name, since, begun: await since() };
}

/** Nobody was lost, the drain goes on with its own clock, and new clients go elsewhere. */
async function isAsBefore({ begun, name, since, viewers }: Awaited<ReturnType<typeof pool>>): Promise<void> {
  expect(await since()).toBe(begun);
  const newcomers = await lab.connect('p', 40);
  await lab.served(newcomers);
  expect(newcomers.clients.map((client) => client.servedBy)).not.toContain(name.slice(0, 20));
  await lab.lostNobody();
  await newcomers.leave();
  await viewers.leave();
}

/** Every proxy has an agent of that image and is ready; pods are replaced where the commit has changed their template. */
async function untilReconciled(image: string): Promise<void> {
  await until(
    `the proxies are of ${image}`,
    async () => {
      const proxies = (await podsOfPool()).filter(({ metadata }) => metadata.labels?.['cccam.dev/component'] === 'proxy');
      const current = proxies.filter((pod) => pod.metadata.deletionTimestamp === undefined);
      return current.length >= 2 && current.every((pod) => agentImage(pod) === image && isReady(pod));
    },
    120_000,
    () => lab.diagnosis(),
  );
}

describe('an upgrade and back', () => {
  it('to another image replaces the agents in the running pods and nothing else, and loses no session', async () => {
    const before = await pool('same');
    const uids = (await podsOfPool()).map((pod) => pod.metadata.uid);
    const templatesBefore = await templates();
    await lab.install();
    await untilAgents('cccam-operator:test', uids);
    expect(await templates()).toEqual(templatesBefore);
    await lab.lostNobody();
    await lab.install('image.tag=same');
    await untilAgents(SAME, uids);
    await isAsBefore(before);
    await lab.kubectl('delete', 'ccp', 'p');
    await until(
      'its pods are gone',
      async () => (await podsOfPool()).length === 0,
      120_000,
      () => lab.diagnosis(),
    );
  }, 400_000);

  it('from the previous commit keeps a drain that is under way, and loses no session', async () => {
    const before = await pool('previous');
    await lab.install();
    await untilReconciled('cccam-operator:test');
    await lab.lostNobody();
    await lab.install('image.tag=previous');
    await untilReconciled(PREVIOUS);
    await isAsBefore(before);
  }, 400_000);
});
