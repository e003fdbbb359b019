import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { KeyPace } from './key-pace.ts';

describe('KeyPace', () => {
  it('forgets keys that have been calm for long enough', async () => {
    const clock = new FakeClock();
    const pace = new KeyPace(clock, { perSecond: 10, burst: 2 });
    for (let key = 0; key < 1_000; key += 1) pace.take(String(key));
    await clock.advance(1_000);
    for (let key = 1_000; key < 1_100; key += 1) pace.take(String(key));
    expect(pace.size).toBeLessThanOrEqual(100);
    expect([pace.waitMs('999', 0), pace.waitMs('1099', 0), pace.waitMs('1099', 500)]).toEqual([0, 0, 500]);
  });
});
