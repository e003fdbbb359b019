import { open, readFile } from 'node:fs/promises';
import { systemClock } from '../../../src/runtime/clock.ts';
import { until } from '../../support/until.ts';
import { run } from '../scenes/shell.ts';
import type { Stage } from '../scenes/stage.ts';
import { type Accident, NOTHING } from './accident.ts';

const HALF = 0.3;

/** The file is written in two goes, with a pause in between: at first only the beginning is there. */
async function writeInTwo(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  const cut = Math.floor(text.length * HALF);
  await file.write(text.slice(0, cut));
  await systemClock.sleep(300);
  await file.write(text.slice(cut));
  await file.close();
}

/** The machine is switched off and on, with a file that somebody has broken meanwhile. */
async function reboot(stage: Stage): Promise<void> {
  await stage.start();
  await stage.hold(20);
  if (stage.contender === 'plain') {
    await stage.plain.writeText('global\n  maxcon 2000\n');
    process.kill(stage.plain.pid, 'SIGKILL');
    await stage.calm(15_000);
    return;
  }
  const { masterPid } = await stage.box.processes();
  await stage.box.killProgram();
  process.kill(masterPid, 'SIGKILL');
  await stage.box.saveText('spec: [');
  await stage.box.start(false);
  await stage.calm(15_000);
}

/** What owners do, and their clocks, clients and routers. */
export const OWNER_ACCIDENTS: readonly Accident[] = [
  {
    name: 'the file is saved in two writes',
    servers: 3,
    async happens(stage) {
      await stage.start();
      await stage.hold(30);
      const path = stage.contender === 'ours' ? stage.box.poolFile : `${stage.box.folder}/plain.cfg`;
      const text = await readFile(path, 'utf8');
      const writing = writeInTwo(path, `# later\n${text}`);
      if (stage.contender === 'plain') stage.plain.reload(); // by whoever watches the file
      stage.come(10);
      await writing;
      await stage.pass(4_000);
      await stage.calm(10_000);
    },
    most: NOTHING,
    tells: [],
  },
  { name: 'a reboot with a broken file', servers: 2, happens: reboot, most: { lost: 20, unserved: 0 }, tells: ['LastValidPoolActive'] },
  {
    name: 'the clock is set three hours ahead during a drain of two hours',
    servers: 2,
    async happens(stage) {
      await stage.start({ drain: { deadline: '2h' } }, () => '', {
        preload: './test/fakes/skewed-clock.ts',
        env: { CLOCK_STEP_MS: String(3 * 3_600_000) },
      });
      await stage.hold(20);
      await stage.edit({ backends: [stage.box.backend(1, { drain: { enabled: true } }), stage.box.backend(2)] });
      await stage.pass(2_000);
      if (stage.contender === 'ours') process.kill(stage.box.programPid, 'SIGUSR2');
      await stage.pass(5_000);
    },
    most: NOTHING,
    tells: ['Draining'],
  },
  {
    name: 'twenty clients behind one address all come back after 15 s',
    servers: 2,
    async happens(stage) {
      await stage.start({ limits: { perClient: { newPer10s: 20 } } });
      await stage.hold(20, { from: 0x7f_66_00_01, retryMs: 1_000 });
      for (const server of stage.servers) await server.kill();
      await stage.pass(15_000);
      for (const server of stage.servers) await server.listen();
      await stage.calm(40_000);
    },
    most: { lost: 20, unserved: 0 },
    tells: [],
  },
  {
    name: 'the address that clients connect to is not there yet when the proxy starts',
    servers: 2,
    async happens(stage) {
      const address = '192.0.2.10';
      const starting = stage.startOn(address);
      await stage.pass(3_000);
      await run('ip', 'address', 'add', `${address}/32`, 'dev', 'lo');
      await starting;
      stage.comeTo(address, 20);
      await stage.calm(10_000);
      await until('it says that it is well', () => stage.contender === 'plain' || stage.told.includes('AttentionResolved'), 5_000);
    },
    most: NOTHING,
    tells: ['Attention', 'AttentionResolved'],
  },
];
