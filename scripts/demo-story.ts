/** The story of `make demo` in less than two minutes, and a failure if a promise was broken. It wants a network of its own. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { PoolStatus } from '../src/api/v1alpha1/index.ts';
import { readProcesses } from '../src/haproxy/readback.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { startClients } from '../src/simulate/client.ts';
import { SimulatedServer } from '../src/simulate/server.ts';
import { statusTable } from '../src/standalone/output.ts';

const PORT = Number(process.env['DEMO_PORT'] ?? 12_000);
const CLIENTS = 200;
const LIMIT_MS = 30_000;

interface DemoLine {
  readonly kind: 'event' | 'status';
  readonly reason: string;
  readonly subject: string;
  readonly message: string;
  readonly status: PoolStatus;
}

const execute = promisify(execFile);
const folder = await mkdtemp('/tmp/ccp-demo-');
const file = join(folder, 'pool.yaml');
const sockets = { runtime: join(folder, 'state/runtime.sock'), master: join(folder, 'state/master.sock') };
const lines: DemoLine[] = [];
let status: PoolStatus | undefined;
const broken: string[] = [];

const servers = await Promise.all(
  ['old', 'new', 'far'].map(async (label, index) => {
    const server = new SimulatedServer({ host: `127.0.7.${index + 1}`, port: 12_001, label });
    await server.listen();
    return server;
  }),
);
const [old, fresh, far] = servers as [SimulatedServer, SimulatedServer, SimulatedServer];
const capacities = [
  { cores: 2, cards: 4, latencyMs: 10 },
  { cores: 4, cards: 8, latencyMs: 10 },
  { cores: 4, cards: 8, latencyMs: 100 },
];

async function save(changes: readonly Record<string, unknown>[] = [], spec: Record<string, unknown> = {}): Promise<void> {
  const backends = servers.map((server, index) => ({
    name: server.label,
    external: { address: server.host },
    port: server.port,
    capacity: capacities[index],
    ...changes[index],
  }));
  const pool = { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'demo' }, spec: { port: PORT, backends, ...spec } };
  await writeFile(`${file}.new`, stringify(pool));
  await rename(`${file}.new`, file);
}

function say(text: string): void {
  console.log(`\n== ${text}`);
}

function show(): void {
  if (status !== undefined) console.log(statusTable(status));
}

/** Waits until something is so, and notes a broken promise if it does not come. */
async function until(promise: string, condition: () => boolean | Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > limitMs) {
      broken.push(promise);
      console.log(`   BROKEN: ${promise}`);
      return;
    }
    await systemClock.sleep(10);
  }
  console.log(`   ${promise}: ${Math.round(performance.now() - begun)} ms`);
}

function stateOf(label: string): string {
  return status?.backends.find((backend) => backend.name === label)?.servers[0]?.state ?? 'absent';
}

const lost = (): number => clients.reduce((sum, client) => sum + client.lost, 0);
const served = (): boolean => clients.every((client) => client.servedBy !== null);
const reloads = async (): Promise<number> => (await readProcesses(sockets)).reloads;

/** Packets from and to the servers are lost. @param begin false ends it */
async function outage(begin: boolean): Promise<void> {
  for (const { host } of servers)
    for (const way of ['-s', '-d']) await execute('iptables', [begin ? '-I' : '-D', 'INPUT', way, host, '-j', 'DROP']);
}

const hasState = (label: string, state: string): boolean =>
  lines.some(({ message, subject }) => subject.startsWith(`${label}-`) && message.includes(`-> ${state},`));

await execute('ip', ['link', 'set', 'lo', 'up']);
say(`three simulated servers, and the pool as a file: ${file}`);
await save();
console.log(await readFile(file, 'utf8'));
const program = spawn(
  process.execPath,
  ['src/main.ts', 'run', '-f', file, '--state-dir', join(folder, 'state'), '--output', 'json', '--http-port', '0', '--grace', '1s'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const programEnded = new Promise<void>((resolve) => program.once('exit', () => resolve()));
createInterface({ input: program.stdout }).on('line', (text) => {
  const line = JSON.parse(text) as DemoLine;
  if (line.kind === 'status') status = line.status;
  else lines.push(line);
});
await until(
  'the pool is ready',
  () => status?.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? program.exitCode !== null,
);

say(`${CLIENTS} clients connect to 127.0.0.1:${PORT}`);
const end = new AbortController();
const CLIENT = { host: '127.0.0.1', port: PORT, retry: { kind: 'fixed', delayMs: 100 }, patienceMs: null, requestEveryMs: 1_000 } as const;
const first = startClients(CLIENTS, CLIENT, end.signal, 0x7f_46_00_01);
const clients = [...first.clients];
await until('all are served, by weight', served);
console.log(`   sessions: ${servers.map((server) => `${server.label} ${server.sessions}`).join(', ')}`);

say('a weight is changed: the old server gets 128');
await save([{ weight: 128 }]);
await until('the weight has taken effect', () => status?.backends[0]?.weight === 128);

say('the new server is drained, and its clients leave by themselves');
await save([{ weight: 128 }, { drain: { enabled: true, deadline: '10m' } }]);
await until('it drains', () => stateOf('new') === 'Draining');
show();
for (const client of clients) if (client.servedBy === 'new') client.reconnect();
await until('it has no sessions left', () => fresh.sessions === 0 && stateOf('new') === 'Drained');
await until('all are served elsewhere', served);

say('the drain is undone');
await save([{ weight: 128 }]);
await until('it is in rotation again', () => stateOf('new') === 'Up');

const lostBefore = lost();
say('the far server is killed, and brought back');
const onFar = far.sessions;
await far.kill();
await until('its clients are served elsewhere', () => served() && lost() - lostBefore >= onFar);
await until('it is seen to be down', () => stateOf('far') === 'Down');
await far.listen();
await until('it is back', () => stateOf('far') === 'Up');

const lostByKill = lost() - lostBefore;

say('the old server is full: it closes one more client than it has, and its capacity says otherwise');
old.limit = { sessions: old.sessions, full: 'close' };
const held = old.sessions;
const more = startClients(60, { ...CLIENT, patienceMs: 3_000 }, end.signal, 0x7f_46_01_01);
await until('it is reported as full', () => hasState('old', 'Full'));
await until('the newcomers are served by the others', () => more.clients.every((client) => client.servedBy !== null));
await until(`its own ${held} sessions go on`, () => old.sessions === held);
clients.push(...more.clients);
old.limit = null;

say('the network between the proxy and all servers fails for some seconds');
const lostBeforeOutage = lost();
await outage(true);
await until('it is told that the servers do not answer', () => lines.some(({ reason }) => reason === 'ServersLost'));
show();
await outage(false);
await until('the servers are found again', () => lines.some(({ reason }) => reason === 'ServersRecovered'));
await until('every client is answered', () =>
  clients.every(({ answeredAt }) => answeredAt !== null && systemClock.monotonic() - answeredAt < 2_000),
);
await until('no session was lost', () => lost() === lostBeforeOutage);

say('the idle time is changed: the one thing here that needs a reload');
await save([{ weight: 128 }], { timeouts: { idle: '45m' } });
await until('HAProxy runs it', () => lines.some((line) => line.reason === 'Reloaded'));
await until(
  'both workers are counted',
  () => status?.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false,
);
show();

const counted = await reloads();
const lostOtherwise = lost() - lostByKill;
say('summary');
console.log(`   sessions ended by the killed server: ${lostByKill} (it held ${onFar})`);
console.log(`   sessions lost: ${lostOtherwise}`);
console.log(`   reloads: ${counted}`);
if (lostOtherwise !== 0) broken.push(`${lostOtherwise} sessions were lost`);
if (counted !== 1) broken.push(`${counted} reloads instead of 1`);

end.abort();
await Promise.all([first.done, more.done]);
program.kill('SIGTERM');
await programEnded;
await Promise.all(servers.map((server) => server.kill()));
await rm(folder, { recursive: true, force: true });
console.log(broken.length === 0 ? '\nevery promise was kept' : `\nBROKEN: ${broken.join('; ')}`);
process.exitCode = broken.length === 0 ? 0 : 1;
