import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../runtime/clock.ts';
import { WorkQueue, type WorkQueueOptions, type WorkResult } from './work-queue.ts';

const DONE: WorkResult = { kind: 'done' };

function queue(changes: Partial<WorkQueueOptions> = {}) {
  const clock = new FakeClock();
  const handled: string[] = [];
  const errors: number[] = [];
  const end = new AbortController();
  const subject = new WorkQueue({
    clock,
    random: () => 0.5,
    backoff: { firstMs: 100, capMs: 1_000, jitter: 0 },
    workers: 1,
    pace: { perSecond: 1_000_000, burst: 1_000_000 },
    handle: async (key) => {
      handled.push(key);
      return DONE;
    },
    onError: (_key, _thrown, retryInMs) => errors.push(retryInMs),
    ...changes,
  });
  return { clock, handled, errors, end, subject };
}

/** A gate that a handler waits at until the test opens it. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
}

describe('WorkQueue', () => {
  it('handles a key once, however often it came', async () => {
    const { subject, handled, end } = queue();
    for (let count = 0; count < 1_000; count += 1) subject.add('a');
    const running = subject.run(end.signal);
    await settle();
    expect(handled).toEqual(['a']);
    end.abort();
    await running;
  });

  it('handles a key once more that came while it was being handled, and never twice at once', async () => {
    const held = gate();
    let active = 0;
    const seen: number[] = [];
    const { subject, end } = queue({
      workers: 4,
      handle: async () => {
        active += 1;
        seen.push(active);
        await held.opened;
        active -= 1;
        return DONE;
      },
    });
    subject.add('a');
    const running = subject.run(end.signal);
    await settle();
    for (let count = 0; count < 50; count += 1) subject.add('a');
    await settle();
    expect(seen).toEqual([1]);
    held.open();
    await settle();
    expect(seen).toEqual([1, 1]);
    end.abort();
    await running;
  });

  it('keeps to its number of workers', async () => {
    const held = gate();
    let active = 0;
    let most = 0;
    const { subject, end } = queue({
      workers: 3,
      handle: async () => {
        active += 1;
        most = Math.max(most, active);
        await held.opened;
        active -= 1;
        return DONE;
      },
    });
    for (const key of 'abcdefgh') subject.add(key);
    const running = subject.run(end.signal);
    await settle();
    held.open();
    await settle();
    expect(most).toBe(3);
    expect(subject.depth + subject.running).toBe(0);
    end.abort();
    await running;
  });

  it('lets changes go before what was only listed', async () => {
    const { subject, handled, end } = queue();
    for (const key of ['l1', 'l2', 'l3']) subject.add(key, 'resync');
    subject.add('c1');
    subject.add('l3');
    const running = subject.run(end.signal);
    await settle();
    expect(handled).toEqual(['l3', 'c1', 'l1', 'l2']);
    end.abort();
    await running;
  });

  it('backs a failing key off, keeps the others going, and starts again after a success', async () => {
    let broken = true;
    const { subject, clock, errors, end } = queue({
      handle: async (key) => {
        if (key === 'bad' && broken) throw new Error('no');
        return DONE;
      },
    });
    const running = subject.run(end.signal);
    subject.add('bad');
    await clock.advance(750);
    expect(errors).toEqual([100, 200, 400, 800]);
    for (let count = 0; count < 100; count += 1) subject.add('bad');
    await clock.advance(10);
    expect(errors).toHaveLength(4); // changes do not make a failing key hot
    broken = false;
    await clock.advance(2_000);
    expect(subject.depth + subject.running).toBe(0);
    broken = true;
    subject.add('bad');
    await clock.advance(0);
    expect(errors.at(-1)).toBe(100);
    end.abort();
    await running;
  });

  it('handles a key again when it is due, or before when it changes', async () => {
    let times = 0;
    const { subject, clock, end } = queue({
      handle: async () => {
        times += 1;
        return { kind: 'requeue', afterMs: 10_000 };
      },
    });
    subject.add('a');
    const running = subject.run(end.signal);
    await clock.advance(9_999);
    expect(times).toBe(1);
    await clock.advance(1);
    expect(times).toBe(2);
    subject.add('a');
    await clock.advance(0);
    expect(times).toBe(3);
    subject.add('a', 'resync');
    await clock.advance(0);
    expect(times).toBe(4);
    end.abort();
    await running;
  });

  it('keeps nothing of ten thousand keys that came and went', async () => {
    const { subject, end } = queue({ workers: 8 });
    for (let key = 0; key < 10_000; key += 1) subject.add(`key-${key}`);
    const running = subject.run(end.signal);
    while (subject.depth + subject.running > 0) await settle();
    end.abort();
    await running;
    expect(subject.depth + subject.running).toBe(0);
  });

  it('lets timers and sockets have their turn between keys that have nothing to wait for', async () => {
    const { end, handled, subject } = queue({ clock: systemClock, workers: 8 });
    for (let index = 0; index < 1_000; index += 1) subject.add(`key ${index}`, 'resync');
    const running = subject.run(end.signal);
    await new Promise((resolve) => setImmediate(resolve));
    expect(handled.length).toBeLessThanOrEqual(16);
    await until('all are handled', () => handled.length === 1_000);
    end.abort();
    await running;
  });

  it('runs once only, and waits for what it began', async () => {
    const held = gate();
    const { subject, end } = queue({
      handle: async () => {
        await held.opened;
        return DONE;
      },
    });
    subject.add('a');
    let ended = false;
    const running = subject.run(end.signal).then(() => {
      ended = true;
    });
    await expect(subject.run(end.signal)).rejects.toThrow();
    await settle();
    end.abort();
    await settle();
    expect(ended).toBe(false);
    held.open();
    await running;
  });

  it('keeps a key that comes all the time to its pace, and lets the others through at once', async () => {
    const { clock, end, handled, subject } = queue({ pace: { perSecond: 5, burst: 3 } });
    const running = subject.run(end.signal);
    for (let ms = 0; ms < 10_000; ms += 10) {
      subject.add('hot');
      if (ms === 5_000) subject.add('calm');
      await clock.advance(10);
      if (ms === 5_000) expect(handled).toContain('calm');
    }
    expect(handled.filter((key) => key === 'hot').length).toBeGreaterThanOrEqual(52);
    expect(handled.filter((key) => key === 'hot').length).toBeLessThanOrEqual(54);
    end.abort();
    await running;
  });

  it('answers news that come many times a second once per spacing, and a change among them at once', async () => {
    const { clock, end, handled, subject } = queue();
    const running = subject.run(end.signal);
    for (let ms = 0; ms < 1_000; ms += 10) {
      subject.add('a', 'change', 200);
      await clock.advance(10);
    }
    expect(handled.length).toBe(6);
    subject.add('a', 'change', 200);
    subject.add('a');
    await settle();
    expect(handled.length).toBe(7);
    end.abort();
    await running;
  });

  it('keeps to the spacing what comes while the key is being handled', async () => {
    const turns: number[] = [];
    const { clock, end, subject } = queue({
      handle: async (key) => {
        turns.push(clock.monotonic());
        if (turns.length < 4) subject.add(key, 'change', 200);
        return { kind: 'requeue', afterMs: 100_000 };
      },
    });
    const running = subject.run(end.signal);
    subject.add('a');
    await clock.advance(2_000);
    expect(turns.map((at) => at - (turns[0] ?? 0))).toEqual([0, 200, 400, 600]);
    end.abort();
    await running;
  });

  it('lets a key rest that kept the process busy, and no other', async () => {
    const { clock, end, handled, subject } = queue({
      handle: async (key) => {
        handled.push(key);
        return { ...DONE, busyMs: key === 'large' ? 100 : 1 };
      },
    });
    const running = subject.run(end.signal);
    for (let time = 0; time < 20; time += 1) {
      for (const key of ['large', 'small']) subject.add(key);
      await clock.advance(100);
    }
    const count = (key: string): number => handled.filter((each) => each === key).length;
    expect([count('large'), count('small')]).toEqual([3, 20]);
    end.abort();
    await clock.advance(0);
    await running;
  });

  it('paces what asks for itself again, too', async () => {
    const { clock, end, handled, subject } = queue({
      pace: { perSecond: 10, burst: 1 },
      handle: async (key) => {
        handled.push(key);
        return { kind: 'requeue', afterMs: 1 };
      },
    });
    const running = subject.run(end.signal);
    subject.add('a');
    await clock.advance(1_000);
    expect(handled.length).toBe(11);
    end.abort();
    await running;
  });
});
