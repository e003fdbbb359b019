import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { SimulatedClient } from '../../../src/simulate/client.ts';
import type { Sample } from '../../soak/growth.ts';
import { kept, PRELOAD, residentMib } from '../../soak/kept.ts';
import type { HaproxyBinary } from '../../support/binaries.ts';
import { until } from '../../support/until.ts';
import { TestBox } from '../box.ts';

export interface SteadyArgs {
  readonly minutes: number;
  readonly haproxy: HaproxyBinary;
}

/** What came of a long time with clients that come and go, and changes. */
export interface SteadyResult {
  readonly samples: readonly Sample[];
  /** Sessions that ended against their clients' will: when, and on which server. */
  readonly lost: readonly string[];
  readonly reloads: number;
}

/** How much may be more in the last third than in the second: MiB, counts, KiB of files. */
export const STEADY_MOST: Sample = { heap: 1, files: 4, master: 1, worker: 4, workers: 2, unowned: 5, state: 64 };

const SERVERS = 5;
const STAYING = 50;
const COMING_AND_GOING = 150;
const TURN_MS = 5_000;
/** Turns between two reloads, and between two times in which the last server resets every new client. */
const RARE = 12;
const RECONNECTS_PER_TURN = 15;

/** Changes a pool all the time under clients that come and go, and measures what is kept. */
export async function play({ haproxy, minutes }: SteadyArgs): Promise<SteadyResult> {
  const box = await TestBox.create(haproxy, SERVERS, 12_345);
  const heapFile = join(box.folder, 'heap');
  const lost: string[] = [];
  try {
    await box.save(specOf(box, 0));
    await box.start(true, { preload: PRELOAD, env: { HEAP_FILE: heapFile } });
    const onLost = (label: string): void => {
      lost.push(`${Math.round(systemClock.monotonic())} ${label}`);
    };
    const clients = box.clients(STAYING + COMING_AND_GOING, { retryMs: 300, patienceMs: 5_000, onLost });
    const samples: Sample[] = [];
    const turns = Math.round((minutes * 60_000) / TURN_MS);
    const begun = systemClock.monotonic();
    for (let turn = 1; turn <= turns; turn += 1) {
      await box.save(specOf(box, turn));
      closeNowAndThen(box, turn);
      await reconnect(clients.slice(STAYING), turn);
      samples.push(await sample(box, heapFile, clients));
      await systemClock.sleep(begun + turn * TURN_MS - systemClock.monotonic());
    }
    await until('everybody is served', () => clients.every(({ servedBy }) => servedBy !== null), 20_000);
    return { samples, lost, reloads: (await box.processes()).reloads };
  } finally {
    await box.dispose();
  }
}

/** Other weights each turn, a drain that is undone in the next, and now and then what needs a reload. */
function specOf(box: TestBox, turn: number): Record<string, unknown> {
  const backends = box.servers.map((_, index) => {
    const isDrained = turn % 2 === 1 && index === (turn >> 1) % SERVERS;
    return box.backend(index + 1, { weight: 50 + ((turn * 37 + index * 11) % 150), ...(isDrained ? { drain: { enabled: true } } : {}) });
  });
  return {
    backends,
    drain: { deadline: '30m' },
    timeouts: { idle: `${20 + (Math.floor(turn / RARE) % 40)}m` },
    health: { interval: '2s' },
  };
}

/** So many clients leave and come back, three a second. */
async function reconnect(clients: readonly SimulatedClient[], turn: number): Promise<void> {
  for (let index = 0; index < RECONNECTS_PER_TURN; index += 1) {
    clients[(turn * RECONNECTS_PER_TURN + index) % clients.length]?.reconnect();
    await systemClock.sleep(TURN_MS / RECONNECTS_PER_TURN / 2);
  }
}

function closeNowAndThen(box: TestBox, turn: number): void {
  box.server(SERVERS).mode = turn % RARE === RARE / 2 ? 'closing' : 'normal';
}

async function sample(box: TestBox, heapFile: string, clients: readonly SimulatedClient[]): Promise<Sample> {
  const { currentPid, masterPid, oldPids } = await box.processes();
  return {
    ...(await kept(box.programPid, heapFile)),
    master: residentMib(masterPid),
    worker: currentPid === null ? 0 : residentMib(currentPid),
    workers: oldPids.length + 1,
    unowned: Math.max(0, box.sessions - clients.length),
    state: await kibibytes(box.stateDir),
  };
}

async function kibibytes(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0) / 1_024;
}
