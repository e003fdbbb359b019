import { getEventListeners, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { Bell, systemClock, TimeLimit } from './clock.ts';

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

describe('a time limit', () => {
  it('aborts when the time is up, and says that it was that', async () => {
    using limit = new TimeLimit(systemClock, 5);
    await once(limit.signal, 'abort');
    expect(limit.passed).toBe(true);
  });

  it('aborts when the work is over for another reason, which is no passing of time', () => {
    const over = new AbortController();
    using limit = new TimeLimit(systemClock, 60_000, over.signal);
    over.abort('enough');
    expect([limit.signal.aborted, limit.signal.reason, limit.passed]).toEqual([true, 'enough', false]);
    using late = new TimeLimit(systemClock, 60_000, over.signal);
    expect(late.signal.aborted).toBe(true);
  });

  it('lets go of everything once it is disposed of', async () => {
    const over = new AbortController();
    const limit = new TimeLimit(systemClock, 1, over.signal);
    limit[Symbol.dispose]();
    over.abort();
    await systemClock.sleep(20);
    expect([limit.signal.aborted, limit.passed, getEventListeners(over.signal, 'abort').length]).toEqual([false, false, 0]);
  });
});
