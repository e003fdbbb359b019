import { expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { ForeignCalls } from './foreign-calls.ts';

it('calls from elsewhere than the node are reported once a minute, with how many there were', async () => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const calls = new ForeignCalls(clock, (from, more) => told.push([from, more]));
  for (let time = 0; time < 1_000; time += 1) calls.told('a');
  await clock.advance(60_000);
  calls.told('b');
  expect(told).toEqual([
    ['a', 0],
    ['b', 999],
  ]);
});
