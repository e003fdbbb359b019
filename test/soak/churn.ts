import { join } from 'node:path';
import { DRAIN_ANNOTATION } from '../../src/api/v1alpha1/index.ts';
import { POD, POOL } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { aPodTemplate, type TestCluster } from '../api-server/test-cluster.ts';
import { until } from '../support/until.ts';
import type { Sample } from './growth.ts';
import { kept, PRELOAD } from './kept.ts';

/** What came of a long time in which pools come and go. */
export interface ChurnResult {
  /** One after each turn, when only the pool that stays is there. */
  readonly samples: readonly Sample[];
  readonly lost: number;
}

/** How much may be more in the last third than in the second: MiB, counts. */
export const CHURN_MOST: Sample = { heap: 1, files: 4 };

/** Pools of a turn that are refused. They cost little, and what is kept of a name shows in their number. */
const REFUSED = 20;
const VIEWERS = 20;
const SPEC = {
  backends: [{ name: 'a', replicas: 1 }],
  podTemplate: aPodTemplate(),
  drain: { deadline: '10m' },
  proxy: { maxConnections: 500, replicas: 1, service: { type: 'ClusterIP' } },
};

/** Makes, changes, drains and deletes pools under one operator, while another pool serves; each turn under names of its own. */
export async function churn(cluster: TestCluster, minutes: number): Promise<ChurnResult> {
  const heapFile = join(cluster.folder, 'heap');
  const operator = await cluster.startOperator({ preload: PRELOAD, env: { HEAP_FILE: heapFile } });
  await cluster.applyPool('stays', { ...SPEC, backends: [{ name: 'a', replicas: 2 }] });
  await cluster.untilCondition('stays', 'Ready', 'True', 60_000);
  const { clients } = cluster.connect('stays', VIEWERS);
  await until('all are served', () => clients.every(({ servedBy }) => servedBy !== null), 20_000);
  const samples: Sample[] = [];
  const end = systemClock.monotonic() + minutes * 60_000;
  for (let turn = 1; systemClock.monotonic() < end; turn += 1) {
    await cluster.applyPool('stays', { ...SPEC, backends: [{ name: 'a', replicas: 2, weight: turn % 200 }] });
    await comeAndGo(cluster, `t${turn}`);
    samples.push(await kept(operator.process.pid ?? 0, heapFile));
  }
  return { samples, lost: cluster.lost };
}

/** Everything that a pool lives through. */
async function comeAndGo(cluster: TestCluster, name: string): Promise<void> {
  const refused = Array.from({ length: REFUSED }, (_, index) => `${name}-refused-${index}`);
  for (const each of refused) await cluster.create(aRefusedPool(each), POOL.plural);
  await cluster.applyPool(name, SPEC);
  await cluster.untilCondition(name, 'Ready', 'True', 60_000);
  const pod = cluster.kubelet.named(`${name}-a-`)[0]?.name ?? '';
  await annotate(cluster, pod, 'true');
  await until('it is drained', async () => (await cluster.status(name))?.backends[0]?.servers[0]?.state === 'Drained', 30_000);
  await annotate(cluster, pod, null);
  await cluster.applyPool(name, { ...SPEC, weights: { policy: 'Equal' }, timeouts: { idle: '45m' } });
  await until('it is up', async () => (await cluster.status(name))?.backends[0]?.servers[0]?.state === 'Up', 30_000);
  await cluster.kubectl('delete', POOL.plural, name, ...refused);
  await until(
    'its pods are gone',
    () => cluster.kubelet.named(`${name}-`).length === 0,
    60_000,
    () => cluster.diagnosis(),
  );
}

/** Its two backends have one address. */
function aRefusedPool(name: string) {
  const external = { address: '10.9.9.9' };
  return {
    apiVersion: POOL.apiVersion,
    kind: POOL.kind,
    metadata: { name },
    spec: { backends: ['a', 'b'].map((backend) => ({ name: backend, external, port: 12_000 })) },
  };
}

async function annotate(cluster: TestCluster, pod: string, value: string | null): Promise<void> {
  const ref = { type: POD, namespace: cluster.namespace, name: pod };
  await cluster.admin.merge(ref, { metadata: { annotations: { [DRAIN_ANNOTATION]: value } } }, 'test', AbortSignal.timeout(15_000));
}
