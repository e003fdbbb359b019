import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { aServer, aStructure } from '../../test/fakes/pools.ts';
import { Bell } from '../runtime/clock.ts';
import { Admission } from './admission.ts';
import type { ProxyEvent } from './event.ts';
import type { ProbeOutcome } from './greeting.ts';

const check = aStructure().check;
const server = aServer(1);

function admission(outcomes: ProbeOutcome['kind'][]) {
  const clock = new FakeClock();
  const events: ProxyEvent[] = [];
  const asked: number[] = [];
  const subject = new Admission(
    clock,
    new Bell(),
    (event) => events.push(event),
    async () => {
      asked.push(clock.monotonic());
      return { kind: outcomes[asked.length - 1] ?? 'greeted' };
    },
  );
  return { clock, events, asked, subject };
}

describe('Admission', () => {
  it('admits a server that greets, at once', async () => {
    const { subject, events } = admission(['greeted']);
    subject.await([server], check);
    await settle();
    expect([...subject.admitted]).toEqual([server.name]);
    expect(events).toEqual([]);
  });

  it('asks a silent server again and again, ever less often, and says so once', async () => {
    const { subject, clock, asked, events } = admission(['silent', 'refused', 'closed', 'greeted']);
    const begun = clock.monotonic();
    subject.await([server], check);
    await clock.advance(60_000);
    expect(asked.map((at) => at - begun)).toEqual([0, 250, 750, 1_750]);
    expect(events.map((event) => event.reason)).toEqual(['NotAdmitted']);
    expect(subject.admitted.has(server.name)).toBe(true);
  });

  it('asks with the check of now, not with the one of when it began', async () => {
    const clock = new FakeClock();
    const limits: number[] = [];
    const subject = new Admission(
      clock,
      new Bell(),
      () => undefined,
      async (target) => {
        limits.push(target.timeoutMs);
        return { kind: target.timeoutMs > 1_000 ? 'greeted' : 'silent' };
      },
    );
    subject.await([server], { ...check, timeoutMs: 500 });
    await settle();
    subject.await([server], { ...check, timeoutMs: 5_000 });
    await clock.advance(1_000);
    expect(limits).toEqual([500, 5_000]);
    expect(subject.admitted.has(server.name)).toBe(true);
  });

  it('never waits longer than the interval of the checks', async () => {
    const { subject, clock, asked } = admission(Array.from({ length: 100 }, () => 'silent' as const));
    subject.await([server], check);
    await clock.advance(100_000);
    const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(Math.max(...gaps)).toBe(check.intervalMs);
  });

  it('does not ask twice at once, and forgets a server that is not wanted any more', async () => {
    const { subject, clock, asked } = admission(['silent', 'silent', 'silent']);
    subject.await([server], check);
    subject.await([server], check);
    await settle();
    expect(asked).toHaveLength(1);
    subject.await([], check);
    await clock.advance(60_000);
    expect(asked).toHaveLength(1);
    expect(clock.sleepers).toBe(0);
  });

  it('asks anew for each return to rotation', async () => {
    const { subject, asked } = admission(['greeted', 'greeted']);
    subject.await([server], check);
    await settle();
    subject.done(server.name);
    subject.await([], check);
    subject.await([server], check);
    await settle();
    expect(asked).toHaveLength(2);
  });
});
