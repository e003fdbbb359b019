import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { readProcesses } from '../../src/haproxy/readback.ts';
import { runMasterCommand } from '../../src/haproxy/runtime-socket.ts';
import { NEWEST } from '../support/binaries.ts';
import { until } from '../support/until.ts';

const PROGRAM = process.env['CCCAM_TEST_PROGRAM'] ?? 'src/main.ts';

/** A HAProxy and its agent, as processes of this machine. */
export interface RunningProxy {
  readonly folder: string;
  agent: ChildProcess;
  haproxy: ChildProcess | null;
}

/** What the agent's container is told in the pod's spec. */
export interface AgentOrders {
  readonly configMap: string;
  /** How wrong the clock of its node is, in milliseconds. */
  readonly skewMs?: number;
}

/** Where a test agent runs. */
export interface AgentHome {
  readonly apiPort: number;
  /** Name of its pod. */
  readonly name: string;
  readonly address: string;
  readonly folder: string;
}

/** Starts the agent of a proxy with the token in its folder. */
export function startAgent({ address, apiPort, folder, name }: AgentHome, orders: AgentOrders): ChildProcess {
  const log = openSync(join(folder, 'agent.log'), 'a');
  const { configMap, skewMs = 0 } = orders;
  const clock = skewMs === 0 ? [] : ['--import', './test/fakes/skewed-clock.ts'];
  const args = ['proxy-agent', '--config-map', configMap, '--run-dir', join(folder, 'run'), '--bind', address, '--http', `${address}:9321`];
  const more = [
    '--haproxy',
    NEWEST.path,
    '--service-account',
    join(folder, 'token'),
    '--mounted',
    join(folder, 'mounted'),
    '--log-level',
    'debug',
  ];
  const agent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...clock, PROGRAM, ...args, ...more], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(apiPort),
      POD: name,
      CLOCK_SKEW_MS: String(skewMs),
    },
  });
  closeSync(log);
  return agent;
}

/** Ends a process at once. */
export async function ended(process: ChildProcess | null): Promise<void> {
  if (process === null || process.exitCode !== null || process.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => process.once('exit', () => resolve()));
  process.kill('SIGKILL');
  await gone;
}

/** Starts the HAProxy of a proxy as its container does. */
export function startHaproxy(folder: string): ChildProcess {
  const log = openSync(join(folder, 'haproxy.log'), 'a');
  const run = join(folder, 'run');
  const haproxy = spawn(NEWEST.path, ['-W', '-S', `${run}/master.sock,mode,600`, '-f', `${run}/haproxy.cfg`], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return haproxy;
}

/** Reloads each HAProxy, which then keeps an old worker with the sessions of before. */
export async function reload(pods: readonly { readonly proxy?: RunningProxy }[]): Promise<void> {
  for (const { proxy } of pods) {
    const master = `${proxy?.folder}/run/master.sock`;
    await runMasterCommand(master, 'reload').catch(() => '');
    await until(
      'there is an old worker',
      async () => (await readProcesses({ master, runtime: '' }).catch(() => null))?.oldPids.length === 1,
    );
  }
}
