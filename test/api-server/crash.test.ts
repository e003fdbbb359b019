import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { CHILD_TYPES } from '../../src/operator/resources.ts';
import { CONFIG_KEYS, readSavedState } from '../../src/wire/saved-state.ts';
import { until } from '../support/until.ts';
import { aPodTemplate, TestCluster } from './test-cluster.ts';

let cluster: TestCluster;

const spec = (weight: number) => ({
  backends: [
    { name: 'a', replicas: 2, weight },
    { name: 'b', external: { address: '192.0.2.1' } },
  ],
  podTemplate: aPodTemplate(),
  proxy: { maxConnections: 2_000, replicas: 1, service: { type: 'ClusterIP' } },
});

beforeAll(async () => {
  cluster = await TestCluster.create(inject('access'));
});

afterAll(async () => {
  await cluster.stop();
});

afterEach(() => {
  cluster.kubelet.idle = false;
});

async function proxyConfig(pool: string) {
  const data = (await cluster.get(CHILD_TYPES.ConfigMap, `${pool}-haproxy`))?.['data'] as Record<string, string> | undefined;
  return JSON.parse(data?.['proxy.json'] ?? '{"servers":[]}') as {
    servers: { id: number; name: string; weight: number; state: string }[];
  };
}

/** When the drain of a pod began according to what was saved, in milliseconds since the epoch; null where nothing was. */
async function savedSince(pool: string, pod: string): Promise<number | null> {
  const data = (await cluster.get(CHILD_TYPES.ConfigMap, `${pool}-haproxy`))?.['data'] as Record<string, string> | undefined;
  const saved = readSavedState(data?.[CONFIG_KEYS.state] ?? '')?.roster.find((server) => server.pod?.name === pod)?.drain;
  return saved?.kind === 'draining' ? saved.since : null;
}

const CHILDREN = [
  ['ConfigMap', '-haproxy'],
  ['ServiceAccount', '-haproxy'],
  ['Role', '-haproxy'],
  ['RoleBinding', '-haproxy'],
  ['Service', ''],
  ['NetworkPolicy', '-haproxy'],
  ['PodDisruptionBudget', '-haproxy'],
  ['PodDisruptionBudget', '-backends'],
  ['Deployment', '-a'],
  ['Deployment', '-haproxy'],
] as const;

/** Whether every object is there, and the status tells of it. An Event is lost by who dies between a status and its Event. */
async function isWhole(pool: string): Promise<boolean> {
  const found = await Promise.all(CHILDREN.map(([kind, suffix]) => cluster.get(CHILD_TYPES[kind], `${pool}${suffix}`)));
  if (found.some((child) => child === null)) return false;
  return (await cluster.condition(pool, 'Accepted'))?.status === 'True';
}

/** Nobody holds the lease of an operator that is dead: the next one need not wait. */
async function clearLease(): Promise<void> {
  await cluster.kubectl('delete', 'lease', 'cccam-operator', '--ignore-not-found');
}

describe('an operator that is killed', () => {
  it.each(['before', 'after'])(
    'at any of its writes, %s it arrives, leaves what the next one completes to the same',
    async (moment) => {
      cluster.kubelet.idle = true; // it is about objects: nobody needs to run
      let survived = false;
      let walked = 0;
      for (let at = 1; !survived && at < 60; at += 1) {
        const pool = `${moment}${at}`;
        await cluster.applyPool(pool, spec(100));
        const operator = await cluster.startOperator({
          preload: './test/fakes/crash-at-write.ts',
          env: { CRASH_AT_WRITE: String(at), CRASH_BEFORE: moment === 'before' ? '1' : '0' },
        });
        const dead = (): boolean => operator.process.signalCode === 'SIGKILL';
        await until(
          `it dies at its write ${at}, or comes through`,
          async () => dead() || (await isWhole(pool)),
          30_000,
          () => cluster.tails(),
        );
        survived = !dead();
        if (survived) await until('the events tell of it', async () => dead() || (await cluster.events(pool)).includes('PoolAccepted'));
        survived = !dead();
        walked = at;
        await cluster.stopOperator(operator);
        await clearLease();
        const second = await cluster.startOperator();
        await until(
          'the second one completes it',
          async () => await isWhole(pool),
          30_000,
          () => cluster.tails(),
        );
        const { servers } = await proxyConfig(pool);
        expect(servers.map(({ id, weight }) => [id, weight])).toEqual([[1, 256]]);
        await cluster.kubectl('delete', 'ccp', pool, '--wait=false');
        await cluster.stopOperator(second, 'SIGKILL');
        await clearLease();
      }
      expect(survived).toBe(true);
      expect(walked).toBeGreaterThan(11); // ten objects, a status and an event
    },
    400_000,
  );

  it('at any write of a drain leaves the clock and the sessions as they are', async () => {
    const steady = await cluster.startOperator();
    await cluster.applyPool('drains', spec(100));
    await cluster.untilCondition('drains', 'Ready', 'True', 30_000);
    await until('both pods serve', async () => (await cluster.status('drains'))?.backends[0]?.ready === 2);
    const viewers = cluster.connect('drains', 20);
    await until('all are served', () => viewers.clients.every((client) => client.servedBy !== null));
    await cluster.stopOperator(steady);
    const [pod] = cluster.kubelet.named('drains-a');
    const since: string[] = [];
    /** Crashes after the clock was saved. */
    let kept = 0;
    for (let at = 1; at < 8; at += 1) {
      await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain=10m', '--overwrite');
      const operator = await cluster.startOperator({
        preload: './test/fakes/crash-at-write.ts',
        env: { CRASH_AT_WRITE: String(at), CRASH_BEFORE: String(at % 2) },
      });
      const dead = (): boolean => operator.process.signalCode === 'SIGKILL';
      const drains = async (): Promise<boolean> =>
        (await proxyConfig('drains')).servers.some((server) => server.name.startsWith(pod?.name ?? '-') && server.state === 'drain');
      const told = async (): Promise<boolean> => ((await cluster.status('drains'))?.draining ?? 0) === 1;
      await until('it dies or comes through', async () => dead() || ((await drains()) && (await told())), 20_000);
      await cluster.stopOperator(operator);
      const saved = await savedSince('drains', pod?.name ?? '-');
      await clearLease();
      const second = await cluster.startOperator();
      await until(
        'the drain is in force and told',
        async () => (await drains()) && (await told()),
        20_000,
        () => cluster.tails(),
      );
      await until(
        'the clock is written down',
        async () => (await cluster.pod(pod?.name ?? ''))?.metadata.annotations?.['cccam.dev/drain-since'] !== undefined,
      );
      const status = (await cluster.status('drains'))?.backends[0]?.servers.find((server) => server.state === 'Draining');
      const written = (await cluster.pod(pod?.name ?? ''))?.metadata.annotations?.['cccam.dev/drain-since'] ?? '';
      expect(written.slice(0, 19)).toBe(status?.since?.slice(0, 19));
      if (saved !== null) {
        expect(Date.parse(written)).toBe(saved); // the clock that the first one has started
        kept += 1;
      }
      since.push(written);
      await cluster.kubectl('annotate', 'pod', pod?.name ?? '', 'cccam.dev/drain-');
      await until('it is undone', async () => !(await drains()) && !(await told()), 20_000);
      await cluster.stopOperator(second);
    }
    expect(kept).toBeGreaterThan(2);
    expect(new Set(since).size).toBe(since.length); // each drain has a clock of its own
    expect(cluster.lost).toBe(0);
  }, 300_000);
});
