import { describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { ServerClock } from './server-clock.ts';

const TEN_MINUTES = 600_000;

/** What an API server writes whose clock is so far ahead. */
function dateOf(clock: FakeClock, aheadMs: number): string {
  return new Date(clock.now() + aheadMs).toUTCString();
}

describe('ServerClock', () => {
  it('is that of the API server, however wrong the node’s is', () => {
    for (const aheadMs of [TEN_MINUTES, -TEN_MINUTES]) {
      const base = new FakeClock();
      const clock = new ServerClock(base);
      clock.hear(dateOf(base, aheadMs), 20);
      expect(Math.abs(clock.now() - (base.now() + aheadMs))).toBeLessThan(1_000);
    }
  });

  it('is this machine’s before the API server has said anything, and tells when it has', () => {
    const base = new FakeClock();
    const onKnown = vi.fn();
    const clock = new ServerClock(base, onKnown);
    expect([clock.isKnown, clock.now()]).toEqual([false, base.now()]);
    clock.hear(undefined, 1);
    clock.hear('nonsense', 1);
    expect(clock.isKnown).toBe(false);
    clock.hear(dateOf(base, 0), 1);
    clock.hear(dateOf(base, 0), 1);
    expect([clock.isKnown, onKnown.mock.calls.length]).toEqual([true, 1]);
  });

  it('does not move for whole seconds, slow answers or one that is far off', async () => {
    const base = new FakeClock();
    const clock = new ServerClock(base);
    for (let answer = 0; answer < 9; answer += 1) {
      clock.hear(dateOf(base, 0), 5);
      await base.advance(337);
    }
    expect(clock.aheadMs).toBe(0);
    clock.hear(dateOf(base, TEN_MINUTES), 5);
    clock.hear(dateOf(base, -TEN_MINUTES), 9_000);
    expect(clock.aheadMs).toBe(0);
  });
});
