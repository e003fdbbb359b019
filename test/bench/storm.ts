import { connect } from 'node:net';
import { systemClock } from '../../src/runtime/clock.ts';
import { GREETING_BYTES } from '../../src/simulate/protocol.ts';
import { until } from '../support/until.ts';
import type { Contender } from './setting.ts';

const SECONDS = 20;
const PER_SECOND = 3_000;
const TICK_MS = 10;
/** Longest that a connection of the storm waits for its greeting. */
const PATIENCE_MS = 5_000;

/** What a storm has cost. */
export interface Toll {
  /** Connections that were made. */
  readonly tried: number;
  /** Connections that were refused, reset or not greeted in time. */
  readonly failed: number;
  /** Sessions that clients held and lost. */
  readonly lost: number;
}

/** A change that needs a reload each second, while clients come and go all the time and 500 others only watch. */
export async function reloadStorm(contender: Contender): Promise<Toll> {
  const viewers = contender.clients(500);
  await until('500 sessions are held', () => viewers.every(({ servedBy }) => servedBy !== null), 30_000);
  const begun = systemClock.monotonic();
  const passed = (): number => systemClock.monotonic() - begun;
  const changes = (async () => {
    for (let second = 1; second <= SECONDS; second += 1) {
      await contender.restructure(second);
      await systemClock.sleep(Math.max(0, second * 1_000 - passed()));
    }
  })();
  const tries: Promise<boolean>[] = [];
  while (passed() < SECONDS * 1_000) {
    const due = Math.min(SECONDS * PER_SECOND, Math.floor((passed() * PER_SECOND) / 1_000));
    while (tries.length < due) tries.push(greeted(contender.port));
    await systemClock.sleep(TICK_MS);
  }
  await changes;
  const greetings = await Promise.all(tries);
  const lost = viewers.reduce((sum, client) => sum + client.lost, 0);
  return { tried: greetings.length, failed: greetings.filter((each) => !each).length, lost };
}

/** Connects, leaves once it was greeted, and says whether it was. */
async function greeted(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let bytes = 0;
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes >= GREETING_BYTES) socket.resetAndDestroy(); // no port is left waiting
    });
    socket.on('error', () => socket.destroy()); // refused or reset: the count of bytes tells
    socket.once('close', () => resolve(bytes >= GREETING_BYTES));
  });
}
