import { describe, expect, it } from 'vitest';
import type { Roster } from '../pool/roster.ts';
import type { Clock } from '../runtime/clock.ts';
import { poolClock, WallShift } from './pool-clock.ts';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-01-01T12:00:00Z');

/** A machine whose clocks say this, at the start of a process: what `now` counts from is the wall clock then. */
function machine(wall: number, monotonic: number): Clock & { wallAt: number; passed: number } {
  const clock = {
    wallAt: wall,
    passed: 0,
    now: (): number => wall + clock.passed,
    wall: (): number => clock.wallAt + clock.passed,
    monotonic: (): number => monotonic + clock.passed,
    sleep: async (): Promise<void> => undefined,
  };
  return clock;
}

const entry: Roster[number] = {
  name: 'a',
  id: 1,
  backend: 'a',
  address: '10.0.0.1',
  port: 12_000,
  weight: 1,
  maxConnections: 10,
  role: 'Active',
  drain: { kind: 'draining', reason: 'requested', since: NOON },
  deadlineMs: 2 * HOUR,
};

/** For how long the drain has lasted by the clock. */
function drainedFor({ clock, roster }: ReturnType<typeof poolClock>): number {
  const drain = roster[0]?.drain;
  return drain?.kind === 'draining' ? clock.now() - drain.since : Number.NaN;
}

describe('the time of a pool', () => {
  it.each([0, 3 * HOUR, -3 * HOUR])('goes on over a restart, though the wall clock was set by %d ms', (step) => {
    const before = poolClock(machine(NOON, 1_000), { roster: [], clock: null }, 'boot');
    const saved = { roster: [entry], clock: before.save() };
    const after = poolClock(machine(NOON + step + 60_000, 61_000), saved, 'boot');
    expect(drainedFor(after)).toBe(60_000);
  });

  it.each([0, 3 * HOUR, -3 * HOUR])('counts what had passed before a reboot, though the wall clock was set by %d ms', (step) => {
    const first = machine(NOON, 1_000);
    const before = poolClock(first, { roster: [], clock: null }, 'boot');
    first.passed = 60_000;
    const saved = { roster: [entry], clock: before.save() };
    const after = poolClock(machine(NOON + step + 600_000, 5), saved, 'another boot');
    expect(drainedFor(after)).toBe(60_000);
  });

  it('begins again without a saved one, and keeps what servers it finds', () => {
    expect(drainedFor(poolClock(machine(NOON + 1_000, 5), { roster: [entry], clock: null }, 'boot'))).toBe(1_000);
  });

  it('is shown as a watch on the wall says', () => {
    const base = machine(NOON, 1_000);
    const shift = new WallShift(base);
    expect(shift.ms).toBe(0);
    base.wallAt = NOON + 300;
    expect(shift.ms, 'a little drift is none').toBe(0);
    base.wallAt = NOON + 3 * HOUR;
    expect(shift.ms).toBe(3 * HOUR);
  });
});
