import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { Bell, systemClock } from './clock.ts';

const never = new AbortController().signal;

describe('systemClock', () => {
  it('ends a sleep when its signal is aborted, without an error', async () => {
    const end = new AbortController();
    const sleeping = systemClock.sleep(60_000, end.signal);
    end.abort();
    await expect(sleeping).resolves.toBeUndefined();
    await expect(systemClock.sleep(60_000, end.signal)).resolves.toBeUndefined();
  });
});

describe('Bell', () => {
  it('wakes who waits', async () => {
    const bell = new Bell();
    const waiting = bell.wait(new FakeClock(), 60_000, never);
    bell.ring();
    await waiting;
  });

  it('remembers a ring that came too early, but only one', async () => {
    const clock = new FakeClock();
    const bell = new Bell();
    bell.ring();
    bell.ring();
    await bell.wait(clock, 60_000, never);
    let woken = false;
    const second = bell.wait(clock, 1_000, never).then(() => {
      woken = true;
    });
    await settle();
    expect(woken).toBe(false);
    await clock.advance(1_000);
    await second;
    expect(woken).toBe(true);
  });

  it('leaves no listener behind on a signal that lives for ever', async () => {
    const clock = new FakeClock();
    const bell = new Bell();
    const end = new AbortController();
    for (let turn = 0; turn < 100; turn += 1) {
      bell.ring();
      await bell.wait(clock, 1_000, end.signal);
    }
    const waiting = bell.wait(clock, 1_000, end.signal);
    end.abort();
    await waiting;
    expect(clock.sleepers).toBe(0);
  });
});
