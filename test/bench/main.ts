/** `make bench`: what was promised, measured beside the guide's own way in the same run. Prints a table; judges nothing. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import Table from 'cli-table3';
import { systemClock } from '../../src/runtime/clock.ts';
import type { SimulatedClient } from '../../src/simulate/client.ts';
import { NEWEST } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { type Contender, ours, rival } from './setting.ts';
import { duration, quantile } from './statistics.ts';
import { reloadStorm } from './storm.ts';

const table = new Table({ head: ['what', 'who', 'measured', 'goal'], style: { head: [], border: [], compact: true } });
const wanted = process.argv[2];

function row(what: string, who: string, measured: string, goal = ''): void {
  table.push([what, who, measured, goal]);
  console.log(`${what} | ${who} | ${measured} | ${goal}`);
}

/** A change is effective when new sessions go where it says: two servers take turns to be out of rotation. */
async function eventToEffective(contender: Contender, changes: number): Promise<void> {
  const times: number[] = [];
  for (let turn = 0; turn < changes; turn += 1) {
    const [gone, left] = turn % 2 === 0 ? [0, 1] : [1, 0];
    const weights = [100, 100].map((weight, index) => (index === gone ? null : weight));
    const expected = contender.servers[left]?.label;
    const begun = performance.now();
    await contender.set(weights);
    const limit = begun + 10_000;
    while ((await contender.box.whoServes(2_000, 0x7f_20_00_01 + turn, 2)) !== expected) {
      if (performance.now() > limit) throw new Error('new sessions do not go where they should');
    }
    times.push(performance.now() - begun);
  }
  row(
    `file saved -> HAProxy routes by it, ${changes} changes, p50 / p99`,
    contender.name,
    `${duration(quantile(times, 0.5))} / ${duration(quantile(times, 0.99))}`,
    'p50 <= 15 ms, p99 <= 60 ms',
  );
  row(`reloads over those ${changes} changes`, contender.name, String(await contender.reloads()), '0');
}

/** Every change that a pool sees in a life, with people watching. */
async function sessionsUnderChanges(contender: Contender, changes: number): Promise<void> {
  const clients = contender.clients(500);
  await until('500 sessions are held', () => clients.every((client) => client.servedBy !== null), 30_000);
  for (let turn = 0; turn < changes; turn += 1) {
    const weights = contender.servers.map((_, index) => (index === turn % 5 ? (turn % 3 === 0 ? null : 10 + turn) : 100));
    await contender.set(weights);
    await systemClock.sleep(60);
  }
  await systemClock.sleep(1_000);
  const lost = clients.reduce((sum, client) => sum + client.lost, 0);
  row(`sessions lost, ${changes} changes under 500 held sessions`, contender.name, `${lost}`, '0');
  row('reloads for those', contender.name, String(await contender.reloads()), '0');
}

/** Clients watch: each asks for something every second, and whoever judges a server by that has seen it for a while. */
const REQUEST_EVERY_MS = 1_000;
const TRAFFIC_KNOWN_MS = 15_000;

/** One server of three dies or falls silent under 300 clients: how long until each of its clients is served by another. */
async function failure(contender: Contender, kind: 'crash' | 'hang', limitMs: number): Promise<void> {
  const waits: number[] = [];
  const clients = contender.clients(300, { retryMs: 100, requestEveryMs: REQUEST_EVERY_MS });
  await until('300 clients are served', () => clients.every((client) => client.servedBy !== null), 30_000);
  const victim = contender.servers[0];
  if (victim === undefined) return;
  if (kind === 'hang') await systemClock.sleep(TRAFFIC_KNOWN_MS);
  const theirs = clients.filter((client) => client.servedBy === victim.label);
  const begun = performance.now();
  if (kind === 'crash') await victim.kill();
  else victim.mode = 'hung';
  const newcomers = kind === 'hang' ? contender.clients(10) : [];
  const arrived = await arrivals([...theirs, ...newcomers], victim.label, begun, limitMs);
  for (const client of theirs) waits.push(arrived.get(client) ?? Number.POSITIVE_INFINITY);
  const never = waits.filter((wait) => !Number.isFinite(wait)).length;
  const text = `${duration(quantile(waits, 0.5))} / ${duration(quantile(waits, 0.99))}${never > 0 ? ` (${never} of ${waits.length} never in ${limitMs / 1_000} s)` : ''}`;
  row(
    `${kind} of one of three, 300 clients: served elsewhere, p50 / p99`,
    contender.name,
    text,
    kind === 'crash' ? 'p99 <= 300 ms' : '<= 5 s where clients keep coming',
  );
}

/** When each client began to be served by somebody else, in milliseconds; those who never were are missing. */
async function arrivals(
  watching: readonly SimulatedClient[],
  victim: string,
  begun: number,
  limitMs: number,
): Promise<ReadonlyMap<SimulatedClient, number>> {
  const arrived = new Map<SimulatedClient, number>();
  while (arrived.size < watching.length && performance.now() - begun < limitMs) {
    for (const client of watching) {
      if (!arrived.has(client) && client.servedBy !== null && client.servedBy !== victim) arrived.set(client, performance.now() - begun);
    }
    await systemClock.sleep(5);
  }
  return arrived;
}

function memoryMiB(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1_024;
  return `${of('VmRSS').toFixed(0)} MiB (anonymous ${of('RssAnon').toFixed(0)})`;
}

/** CPU seconds that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
}

async function idle(contender: Contender, sessions: number): Promise<void> {
  const worker = await contender.worker();
  row('memory with no session', 'HAProxy worker', memoryMiB(worker));
  const clients = contender.clients(sessions);
  await until('all are held', () => clients.every((client) => client.servedBy !== null), 120_000);
  await systemClock.sleep(2_000);
  const program = contender.box.programPid;
  const before = [cpuSeconds(program), cpuSeconds(worker)];
  const begun = performance.now();
  await systemClock.sleep(10_000);
  const seconds = (performance.now() - begun) / 1_000;
  const used = [program, worker].map(
    (pid, index) => `${((100 * (cpuSeconds(pid) - (before[index] ?? 0))) / seconds).toFixed(1)} % of a core`,
  );
  row(`memory, CPU with ${sessions} idle sessions`, 'cccam-operator run', `${memoryMiB(program)}, ${used[0]}`);
  row(`memory, CPU with ${sessions} idle sessions`, 'HAProxy worker', `${memoryMiB(worker)}, ${used[1]}`);
}

const ROUNDS = 7;
const CONNECTIONS = 5_000;

/** CPU time of HAProxy for a connection with a greeting: rounds of both in turn, so that whatever else the machine does falls on both. */
async function cpuPerConnection(contenders: readonly Contender[]): Promise<void> {
  const measured = contenders.map((contender) => ({ contender, microseconds: [] as number[] }));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const { contender, microseconds } of measured) {
      const worker = await contender.worker();
      const before = cpuSeconds(worker);
      await greetings('127.0.0.1', contender.port, CONNECTIONS);
      if (round > 0) microseconds.push((1e6 * (cpuSeconds(worker) - before)) / CONNECTIONS); // the first round warms up
    }
  }
  const medians = measured.map(({ microseconds }) => quantile(microseconds, 0.5));
  measured.forEach(({ contender, microseconds }, index) => {
    const spread = `${quantile(microseconds, 0).toFixed(0)} to ${quantile(microseconds, 1).toFixed(0)}`;
    const ratio = (medians[index] ?? 0) / (medians.at(-1) ?? 0);
    row(
      `CPU time of HAProxy per connection, median of ${ROUNDS} rounds of ${CONNECTIONS}`,
      contender.name,
      `${medians[index]?.toFixed(0)} us (${spread}), ratio ${ratio.toFixed(2)}`,
      index === 0 ? 'ratio <= 1.2' : '',
    );
  });
}

/** Makes so many connections, 32 at a time, and leaves each after its greeting. */
async function greetings(host: string, port: number, count: number): Promise<void> {
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ host, port });
        socket.once('data', () => {
          socket.resetAndDestroy();
          resolve();
        });
        socket.once('error', reject);
      });
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
}

/** As many connections as the rival takes. */
const STORM = { proxy: { maxConnections: 9_000 } };

const groups: Readonly<Record<string, () => Promise<void>>> = {
  async effective() {
    await withEach([() => ours(NEWEST, 2), () => rival('guide', NEWEST, 2)], async (contender) => await eventToEffective(contender, 200));
  },
  async sessions() {
    await withEach(
      [() => ours(NEWEST, 5), () => rival('guide', NEWEST, 5)],
      async (contender) => await sessionsUnderChanges(contender, 100),
    );
  },
  async storm() {
    await withEach([() => ours(NEWEST, 3, STORM), () => rival('guide', NEWEST, 3)], async (contender) => {
      const { failed, lost, tried } = await reloadStorm(contender);
      const what = `a change that needs a reload each second for 20 s, ${tried} connections: not greeted / 500 sessions lost`;
      row(what, `${contender.name}, ${await contender.reloads()} reloads`, `${failed} / ${lost}`, '0 / 0');
    });
  },
  async crash() {
    await withEach(
      [
        () => ours(NEWEST, 3),
        () => rival('guide', NEWEST, 3),
        () => rival('guide + redispatch', NEWEST, 3),
        () => rival('nginx', NEWEST, 3),
      ],
      async (contender) => await failure(contender, 'crash', 60_000),
    );
  },
  async hang() {
    await withEach(
      [
        () => ours(NEWEST, 3),
        () => rival('guide', NEWEST, 3),
        () => rival('guide + redispatch', NEWEST, 3),
        () => rival('nginx', NEWEST, 3),
      ],
      async (contender) => await failure(contender, 'hang', 45_000),
    );
  },
  async idle() {
    await withEach([() => ours(NEWEST, 3, { proxy: { maxConnections: 9_000 } })], async (contender) => await idle(contender, 5_000));
  },
  async cpu() {
    const contenders = [await ours(NEWEST, 3), await rival('guide', NEWEST, 3)];
    try {
      await cpuPerConnection(contenders);
    } finally {
      for (const contender of contenders) await contender.stop();
    }
  },
};

async function withEach(make: readonly (() => Promise<Contender>)[], measure: (contender: Contender) => Promise<void>): Promise<void> {
  for (const one of make) {
    const contender = await one();
    try {
      await measure(contender);
    } finally {
      await contender.stop();
    }
  }
}

console.log(`HAProxy ${NEWEST.version}, Node ${process.versions.node}, ${cpus().length} cores\n`);
for (const [name, measure] of Object.entries(groups)) {
  if (wanted === undefined || wanted === name) await measure();
}
console.log(`\n${table.toString()}`);
