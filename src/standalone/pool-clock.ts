import { readFile } from 'node:fs/promises';
import type { Roster } from '../pool/roster.ts';
import { aheadBy, type Clock } from '../runtime/clock.ts';
import type { SavedClock, SavedRoster } from './state-folder.ts';

/** Below this, the wall clock and the pool's agree: they drift apart by some milliseconds a day. */
const SAME_MS = 2_000;

/** The time of one pool: it goes on over restarts of the program, whatever happens to the wall clock. */
export interface PoolClock {
  readonly clock: Clock;
  /** Servers with the times of their drains in it. */
  readonly roster: Roster;
  /** What time it is, to be kept for the next start. */
  readonly save: () => SavedClock;
}

/** Names this boot of the machine. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/**
 * Goes on with the time of an earlier run. Within one boot of the machine the monotonic clock says what has passed; over a reboot, only
 * what had passed when the state was written counts: the sessions that a drain waits for are gone anyway.
 */
export function poolClock(base: Clock, saved: Pick<SavedRoster, 'roster' | 'clock'>, boot: string): PoolClock {
  const before = saved.clock;
  const sameBoot = before !== null && before.boot === boot && before.monotonic <= base.monotonic();
  const passed = sameBoot ? Math.round(before.now + base.monotonic() - before.monotonic - base.now()) : 0;
  const clock = aheadBy(base, () => passed);
  const roster = before === null || sameBoot ? saved.roster : saved.roster.map((entry) => later(entry, base.now() - before.now));
  return { clock, roster, save: () => ({ boot, monotonic: base.monotonic(), now: clock.now() }) };
}

function later(entry: Roster[number], ms: number): Roster[number] {
  return entry.drain.kind === 'active' ? entry : { ...entry, drain: { ...entry.drain, since: entry.drain.since + ms } };
}

/** How far times of the pool's clock are from what a person's watch shows. Moves only when the wall clock was really changed. */
export class WallShift {
  readonly #clock: Clock;
  #shiftMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds to be added to a time of the pool's clock before it is shown. */
  get ms(): number {
    const shift = this.#clock.wall() - this.#clock.now();
    if (Math.abs(shift - this.#shiftMs) > SAME_MS) this.#shiftMs = shift;
    return this.#shiftMs;
  }
}
