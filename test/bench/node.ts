/** What the image and each process of it cost, on a real node. Prints a table; judges nothing. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import Table from 'cli-table3';
import type { KubeObject } from '../../src/kube/resource.ts';
import { POD } from '../../src/operator/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { aPool, Lab, OPERATOR_NAMESPACE } from '../cluster/lab.ts';
import { processesOf } from '../cluster/processes.ts';
import { until } from '../support/until.ts';
import { duration } from './statistics.ts';

const table = new Table({ head: ['what', 'measured', 'goal'], style: { head: [], border: [], compact: true } });

function row(what: string, measured: string, goal = ''): void {
  table.push([what, measured, goal]);
  console.log(`${what} | ${measured} | ${goal}`);
}

/** Resident memory of a process, and the part of it that is its own. */
function memory(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024);
  return `${of('VmRSS')} MiB (${of('RssAnon')})`;
}

/** When a process began, in milliseconds since the epoch, to a hundredth of a second. */
function begunAt(pid: number): number {
  const ticks = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]);
  const up = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Date.now() - up * 1_000 + ticks * 10;
}

const AGENT_GOAL = '<= 68 MiB (30)';

/** A process to measure. */
interface Measured {
  readonly pod: KubeObject;
  readonly namespace: string;
  /** The first line of its log says that it listens. */
  readonly container: string;
  readonly subcommand: string;
  readonly goal: string;
}

async function measure(lab: Lab, { container, goal, namespace, pod, subcommand }: Measured): Promise<void> {
  const [pid] = await processesOf(pod.metadata.uid ?? '', subcommand);
  if (pid === undefined) throw new Error(`${subcommand} does not run`);
  const log = await lab.cluster.kubectl('-n', namespace, 'logs', pod.metadata.name, '-c', container);
  const { time } = JSON.parse(log.split('\n')[0] ?? '{}') as { time: string };
  row(`${subcommand}: RSS (anonymous)`, memory(pid), goal);
  row(`${subcommand}: from the start of the process until it listens`, duration(Math.max(0, Date.parse(time) - begunAt(pid))));
}

const archive = execFileSync('scripts/image-archive.sh', ['cccam-operator:test'], { encoding: 'utf8' }).trim();
row('image, uncompressed', `${Math.round(statSync(archive).size / 1e6)} MB`, '<= 160 MB');
const lab = await Lab.create();
try {
  await lab.install();
  await lab.applyPool('p', aPool([{ name: 'a', replicas: 1 }]));
  await lab.untilCondition('p', 'Ready', 'True', 60_000);
  await lab.served(await lab.connect('p', 100));
  await systemClock.sleep(60_000); // what only the start needs is given back by then, and what is hot is known
  const [proxy] = await lab.pods('p', null);
  const [server] = await lab.pods('p', 'a');
  const operators = await lab.admin.list(
    { type: POD, namespace: OPERATOR_NAMESPACE, selectors: {} },
    (object) => object,
    AbortSignal.timeout(5_000),
  );
  await until('all are there', () => proxy !== undefined && server !== undefined && operators.items.length > 0);
  for (const pod of operators.items)
    await measure(lab, { pod, namespace: OPERATOR_NAMESPACE, container: 'operator', subcommand: 'operator', goal: '<= 100 MiB' });
  if (proxy !== undefined)
    await measure(lab, { pod: proxy, namespace: lab.namespace, container: 'proxy-agent', subcommand: 'proxy-agent', goal: AGENT_GOAL });
  if (server !== undefined)
    await measure(lab, {
      pod: server,
      namespace: lab.namespace,
      container: 'backend-agent',
      subcommand: 'backend-agent',
      goal: AGENT_GOAL,
    });
} finally {
  await lab.stop();
}
console.log(`\n${table.toString()}`);
