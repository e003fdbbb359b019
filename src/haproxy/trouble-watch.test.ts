import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { anActualServer, anActualWorker, aServer, aStructure } from '../../test/fakes/pools.ts';
import { Bell } from '../runtime/clock.ts';
import type { ActualServer } from './actual.ts';
import type { ProbeOutcome } from './greeting.ts';
import { TroubleWatch } from './trouble-watch.ts';

const check = aStructure().check;
const never = new AbortController().signal;

function watch(outcomes: ProbeOutcome['kind'][]) {
  const clock = new FakeClock();
  let asked = 0;
  const subject = new TroubleWatch(clock, new Bell(), async () => {
    asked += 1;
    return { kind: outcomes[asked - 1] ?? 'greeted' };
  });
  const look = (changes: Partial<ActualServer>, pid = 100): void =>
    subject.look(anActualWorker([anActualServer(aServer(1), changes)], aStructure(), { pid }), check, never);
  return { clock, subject, look, asked: () => asked };
}

describe('TroubleWatch', () => {
  it('asks nobody while no counter moves', async () => {
    const { look, asked, clock } = watch([]);
    look({ troubles: 0 });
    look({ troubles: 0 });
    await clock.advance(1_000);
    expect(asked()).toBe(0);
  });

  it('finds a silent server with one question, because silence has lasted its whole time', async () => {
    const { look, subject, clock } = watch(['silent']);
    look({ troubles: 1 });
    await clock.advance(0);
    expect([...subject.takeFound()]).toEqual([[aServer(1).name, 'silent']]);
    expect([...subject.takeFound()]).toEqual([]);
  });

  it('believes a refusal only when it repeats', async () => {
    const hiccup = watch(['refused', 'greeted']);
    hiccup.look({ troubles: 1 });
    await hiccup.clock.advance(1_000);
    expect([...hiccup.subject.takeFound()]).toEqual([]);
    const dead = watch(['refused', 'refused', 'refused']);
    dead.look({ troubles: 1 });
    await dead.clock.advance(1_000);
    expect([...dead.subject.takeFound().values()]).toEqual(['refused']);
  });

  it('does not believe a verdict that came far too late: the program itself was stopped meanwhile', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const subject = new TroubleWatch(clock, new Bell(), async () => {
      asked += 1;
      if (asked === 1) await clock.sleep(check.timeoutMs + 5_000);
      return { kind: asked === 1 ? 'silent' : 'greeted' };
    });
    subject.look(anActualWorker([anActualServer(aServer(1), { troubles: 1 })]), check, never);
    await clock.advance(60_000);
    expect(asked).toBe(2);
    expect([...subject.takeFound()]).toEqual([]);
  });

  it('forgets what it found about a worker that is gone', async () => {
    const { look, subject, clock } = watch(['silent']);
    look({ troubles: 1 });
    await clock.advance(0);
    look({ troubles: 0 }, 200);
    expect([...subject.takeFound()]).toEqual([]);
  });

  it('lets a server be that greets us: it was only slow for that client', async () => {
    const { look, subject, clock, asked } = watch(['greeted']);
    look({ troubles: 5 });
    await clock.advance(1_000);
    look({ troubles: 5 });
    expect(asked()).toBe(1);
    expect([...subject.takeFound()]).toEqual([]);
  });

  it('asks nobody who is out already', async () => {
    const { look, asked, clock } = watch([]);
    look({ troubles: 1, operational: 'down' });
    look({ troubles: 2, admin: 'maint' });
    await clock.advance(1_000);
    expect(asked()).toBe(0);
  });

  it('knows that a new worker counts from nothing', async () => {
    const { look, asked, clock } = watch([]);
    look({ troubles: 7 });
    await clock.advance(1_000);
    look({ troubles: 0 }, 200);
    look({ troubles: 1 }, 200);
    await clock.advance(1_000);
    expect(asked()).toBe(2);
  });
});
