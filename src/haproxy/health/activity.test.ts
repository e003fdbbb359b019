import { describe, expect, it } from 'vitest';
import { type Activity, answeredSince, nextActivity, standsStill, tellingMs } from './activity.ts';

/** Sessions of a server, and what they have had from it at each look a second apart. */
function watched(seconds: number, bytes: (session: number, second: number) => number, sessions = 20): Activity {
  let activity: Activity | null = null;
  for (let second = 0; second <= seconds; second += 1) {
    const totals = new Map(Array.from({ length: sessions }, (_, session) => [`1:${session}`, bytes(session, second)]));
    activity = nextActivity(activity, totals, second * 1_000);
  }
  if (activity === null) throw new Error('unreachable');
  return activity;
}

/** Twenty sessions with an answer every ten seconds each, spread: two a second. Silent from a time on. */
const steady = (until: number) => (session: number, second: number) =>
  16 + 20 * Math.floor((Math.min(second, until) + (session % 10)) / 10);
/** Twenty sessions that came together and whose keepalives come together, every fifteen seconds. */
const together = (_: number, second: number) => 16 + 4 * Math.floor(second / 15);

describe('the traffic of a server', () => {
  it('tells that it stands still once eight answers have stayed away', () => {
    expect(tellingMs(watched(60, steady(60)))).toBeCloseTo(4_000, -2);
    expect(standsStill(watched(63, steady(60)))).toBe(false);
    expect(standsStill(watched(65, steady(60)))).toBe(true);
  });

  it('tells nothing before its keepalives are due while it is thin, or not known for long', () => {
    expect(standsStill(watched(40, () => 16))).toBe(false);
    expect(standsStill(watched(51, () => 16))).toBe(true);
    expect(standsStill(watched(15, steady(8)))).toBe(false);
  });

  it('is not taken for still between keepalives that come together', () => {
    for (let second = 1; second <= 180; second += 1) expect(standsStill(watched(second, together)), `after ${second} s`).toBe(false);
    expect(standsStill(watched(180 + 23, (session, second) => together(session, Math.min(second, 180))))).toBe(true);
  });

  it('is given more time where it has been quiet for longer before and came back', () => {
    const night = (_: number, second: number): number => (second < 65 ? 16 : 20);
    expect(standsStill(watched(120, night))).toBe(false);
    expect(standsStill(watched(65 + 100, night))).toBe(true);
  });

  it('is not thought quiet because it was looked at rarely, or because no client was there', () => {
    const looks = (...times: number[]): Activity => {
      let activity: Activity | null = null;
      for (const second of times) {
        const sessions = second < 100 ? 0 : 20; // they come in the hundredth second
        const totals = new Map(Array.from({ length: sessions }, (_, session) => [`1:${session}`, steady(150)(session, second)]));
        activity = nextActivity(activity, totals, second * 1_000);
      }
      if (activity === null) throw new Error('unreachable');
      return activity;
    };
    expect(tellingMs(looks(0, 50, 99, 101, 110, 120, 130, 140, 150))).toBeLessThan(5_000);
    expect(answeredSince(looks(0, 99, 101), 99_000)).toBe(true);
    expect(answeredSince(nextActivity(looks(0, 99), new Map([['1:1', 0]]), 101_000), 99_000)).toBe(false);
  });

  it('is nothing to judge by without sessions', () => {
    expect(standsStill(watched(300, () => 0, 0))).toBe(false);
  });

  it('counts a session that was greeted as a sign of life, and as no answer to expect', () => {
    const first = nextActivity(null, new Map([['1:1', 16]]), 0);
    const second = nextActivity(
      first,
      new Map([
        ['1:1', 16],
        ['1:2', 16],
      ]),
      1_000,
    );
    expect(answeredSince(second, 0)).toBe(true);
    expect(second.past).toEqual([{ answers: 0, sessions: 1, ms: 1_000, at: 1_000 }]);
    const silent = nextActivity(
      second,
      new Map([
        ['1:1', 16],
        ['1:2', 16],
        ['1:3', 0],
      ]),
      2_000,
    );
    expect(answeredSince(silent, 1_000)).toBe(false);
  });
});
