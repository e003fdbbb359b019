import { isAlive } from '../../../src/haproxy/supervisor.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { run } from '../scenes/shell.ts';
import type { Stage } from '../scenes/stage.ts';
import { type Accident, NOTHING } from './accident.ts';

/** Pids of the contender's HAProxy, its master first. */
async function haproxies({ box, contender, plain }: Stage): Promise<number[]> {
  if (contender === 'ours') {
    const { currentPid, masterPid } = await box.processes();
    return [masterPid, ...(currentPid === null ? [] : [currentPid])];
  }
  const workers = await run('pgrep', '-P', String(plain.pid));
  return [plain.pid, ...workers.trim().split('\n').map(Number)];
}

function killed(which: 'master' | 'worker'): (stage: Stage) => Promise<void> {
  return async (stage) => {
    await stage.start();
    await stage.hold(30);
    const pids = await haproxies(stage);
    const pid = (which === 'master' ? pids[0] : pids[1]) ?? 0;
    process.kill(pid, 'SIGKILL');
    while (isAlive(pid)) await systemClock.sleep(10);
    await stage.calm(20_000);
  };
}

/** What happens to the proxy itself. */
export const PROXY_ACCIDENTS: readonly Accident[] = [
  {
    name: "the kernel kills HAProxy's worker",
    servers: 3,
    happens: killed('worker'),
    most: { lost: 30, unserved: 0 },
    tells: ['HaproxyDied'],
  },
  {
    name: "the kernel kills HAProxy's master",
    servers: 3,
    happens: killed('master'),
    most: { lost: 30, unserved: 0 },
    tells: ['HaproxyDied'],
  },
  {
    name: 'twenty changes that need a reload, one a second',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      for (let second = 1; second <= 20; second += 1) {
        if (stage.contender === 'plain') stage.plain.reload();
        else await stage.edit({ timeouts: { idle: `${20 + second}m` } });
        stage.come(2);
        await stage.pass(1_000);
      }
      await stage.calm(10_000);
    },
    most: NOTHING,
    tells: ['Reloaded'],
  },
  {
    name: 'three reloads, and a server that holds fifty sessions and not one more',
    servers: 2,
    async happens(stage) {
      for (const server of stage.servers) server.limit = { sessions: 50, full: 'close' };
      const backends = [1, 2].map((index) => stage.box.backend(index, { capacity: { maxConnections: 50 } }));
      await stage.start({ backends }, () => 'maxconn 50');
      await stage.hold(60);
      for (let count = 1; count <= 3; count += 1) {
        await stage.reload();
        stage.come(10);
        await stage.pass(2_000);
      }
      await stage.calm(15_000);
    },
    most: NOTHING,
    tells: ['Reloaded'],
  },
];
