import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { ForeignCalls } from './foreign-calls.ts';

describe('calls from elsewhere than the node', () => {
  it('wait in small numbers: four of one address, sixteen in all', () => {
    const calls = new ForeignCalls(new FakeClock(), () => undefined);
    const begun = ['a', 'a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'c', 'c', 'c', 'c', 'd', 'd', 'd', 'd', 'e'].map((from) =>
      calls.begin(from),
    );
    expect(begun.filter((each) => !each)).toHaveLength(2);
    expect([begun[4], begun.at(-1)]).toEqual([false, false]);
    calls.end('a');
    expect([calls.begin('a'), calls.size]).toEqual([true, 16]);
  });

  it('are reported once a minute, with how many there were', async () => {
    const clock = new FakeClock();
    const told: unknown[] = [];
    const calls = new ForeignCalls(clock, (from, more) => told.push([from, more]));
    for (let time = 0; time < 1_000; time += 1) {
      calls.begin('a');
      calls.end('a');
    }
    await clock.advance(60_000);
    calls.begin('b');
    expect(told).toEqual([
      ['a', 0],
      ['b', 999],
    ]);
  });
});
