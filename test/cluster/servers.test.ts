import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/kube/resource.ts';
import type { Viewers } from '../fakes/audience.ts';
import { throughout, until } from '../support/until.ts';
import { aPool, isReady, Lab } from './lab.ts';
import { processesOf } from './processes.ts';

const run = promisify(execFile);
const NAMES = ['a', 'b', 'c'];
/** More than each of three servers holds. */
const LIMIT = 30;
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
  await lab.install();
  const health = { interval: '2s', fastInterval: '500ms', timeout: '1s' };
  const backends = NAMES.map((name) => ({ name, replicas: 1 }));
  await lab.applyPool('open', aPool(backends, { health, balance: { stickiness: { mode: 'None' } } }));
  await lab.untilCondition('open', 'Ready', 'True', 60_000);
});

afterAll(async () => {
  await lab.stop();
});

beforeEach(async () => {
  await lab.audience.leaveAll();
  lab.audience.losses.splice(0);
});

async function states(pool: string): Promise<readonly (string | undefined)[]> {
  const status = await lab.status(pool);
  return NAMES.map((name) => status?.backends.find((each) => each.name === name)?.state);
}

async function untilStates(pool: string, wanted: RegExp, limitMs: number): Promise<void> {
  const fits = async (): Promise<boolean> => (await states(pool)).every((state) => wanted.test(state ?? ''));
  await until(`all are ${wanted}`, fits, limitMs, async () => [await states(pool), await lab.diagnosis()]);
}

async function readyProxies(): Promise<KubeObject[]> {
  return (await lab.pods('open', null)).filter(isReady);
}

const addressOf = (pod: KubeObject): string => (pod['status'] as { podIP: string }).podIP;

/** Runs iptables where the servers are, for what comes from the proxies' pods. @param what packets, and what becomes of them */
async function atServers(action: '-I' | '-D', proxies: readonly KubeObject[], ...what: string[]): Promise<void> {
  for (const name of NAMES) {
    const [pod] = await lab.pods('open', name);
    const [server] = await processesOf(pod?.metadata.uid ?? '', 'simulate');
    for (const proxy of proxies)
      await run('nsenter', ['-t', String(server), '-n', 'iptables', '-w', action, 'INPUT', '-s', addressOf(proxy), ...what]);
  }
}

async function served(count: number): Promise<Viewers> {
  await untilStates('open', /^Up$/, 120_000);
  const viewers = await lab.connect('open', count);
  await lab.served(viewers);
  return viewers;
}

describe('servers of a node', () => {
  it('that are full serve their clients, are reported full, and one too many is refused', async () => {
    const spec = aPool(
      NAMES.map((name) => ({ name, replicas: 1 })),
      { health: { interval: '2s', fastInterval: '500ms', timeout: '1s' }, balance: { stickiness: { mode: 'None' } } },
    ) as { podTemplate: { spec: { containers: { args: string[] }[] } } };
    spec.podTemplate.spec.containers[0]?.args.push('--limit', String(LIMIT));
    await lab.applyPool('full', spec);
    await lab.untilCondition('full', 'Ready', 'True', 60_000);
    const { clients } = await lab.connect('full', NAMES.length * LIMIT + 10);
    const served = (): number => clients.filter(({ servedBy }) => servedBy !== null).length;
    await until('as many as there is room for are served', () => served() >= NAMES.length * LIMIT - 1, 60_000, served);
    await untilStates('full', /^Full$/, 30_000);
    await throughout('they go on', 20_000, () => served() >= NAMES.length * LIMIT - 1);
    expect(lab.audience.losses).toEqual([]);
    await until('the owner is told', async () => (await lab.condition('full', 'Attention'))?.reason === 'LimitBelowCapacity');
    await lab.kubectl('delete', 'ccp', 'full');
  });

  it('that ban the proxies keep their sessions and are called so, and take clients again afterwards', async () => {
    await served(60);
    const proxies = await readyProxies();
    const rule = ['-p', 'tcp', '--dport', '12000', '--syn', '-j', 'REJECT', '--reject-with', 'tcp-reset'];
    await atServers('-I', proxies, ...rule);
    try {
      await untilStates('open', /^RefusesProxy$/, 90_000);
      await lab.lostNobody();
    } finally {
      await atServers('-D', proxies, ...rule);
    }
    await lab.served(await lab.connect('open', 20));
    await lab.lostNobody();
  });

  it('that one proxy cannot reach for 16 s keep their sessions', async () => {
    await served(60);
    const [proxy] = await readyProxies();
    if (proxy === undefined) throw new Error('there is no proxy');
    await atServers('-I', [proxy], '-j', 'DROP');
    try {
      await throughout('nobody is lost', 16_000, () => lab.lost === 0);
    } finally {
      await atServers('-D', [proxy], '-j', 'DROP');
    }
    await untilStates('open', /^Up$/, 60_000);
    await lab.served(await lab.connect('open', 20));
    await lab.lostNobody();
  });
});
