import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aModel, anActualServer, anActualWorker, aServer } from '../../test/fakes/pools.ts';
import { overdue, Pace } from './session-closer.ts';
import { parseSessionIds } from './sessions.ts';

describe('overdue', () => {
  const late = aServer(1, { state: 'drain', closeAfter: 1_000 });
  const proxy = (sessions: number, old = 0) => ({
    masterPid: 1,
    current: anActualWorker([anActualServer(late, { sessions })]),
    old: [{ pid: 2, sessions: new Map([[late.name, old]]) }],
  });

  it('is a drain past its deadline that still holds sessions, in whichever worker', () => {
    expect(overdue(aModel([late]), proxy(1), 1_000)).toEqual([late]);
    expect(overdue(aModel([late]), proxy(0, 1), 1_000)).toEqual([late]);
    expect(overdue(aModel([late]), proxy(0, 0), 1_000)).toEqual([]);
    expect(overdue(aModel([late]), proxy(1), 999)).toEqual([]);
  });

  it('is never a server in rotation or one that may keep its sessions', () => {
    expect(overdue(aModel([aServer(1, { closeAfter: 0 })]), proxy(1), 1_000)).toEqual([]);
    expect(overdue(aModel([aServer(1, { state: 'drain' })]), proxy(1), 1_000)).toEqual([]);
  });
});

describe('Pace', () => {
  it('hands out the set number per second, however often it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 5, maxLength: 60 }),
        (perSecond, gaps) => {
          const pace = new Pace();
          let now = 0;
          let taken = pace.take(perSecond, now);
          for (const gap of gaps) {
            now += gap;
            taken += pace.take(perSecond, now);
          }
          expect(taken).toBeLessThanOrEqual(1 + (now * perSecond) / 1_000 + 1e-6);
          expect(taken).toBeGreaterThanOrEqual(Math.floor((now * perSecond) / 1_000) - 1);
        },
      ),
    );
  });

  it('never hands out more than a second’s worth at once, after a long sleep neither', () => {
    const pace = new Pace();
    pace.take(20, 0);
    expect(pace.take(20, 60_000)).toBe(20);
  });
});

describe('parseSessionIds', () => {
  it('finds the sessions of one server and of nothing else', () => {
    const text = [
      '0x5a0: proto=tcpv4 src=127.0.9.1:43923 fe=clients be=servers srv=a-127.0.1.1:12001 ts=00 epoch=0 age=7s calls=4',
      '0x5b0: proto=tcpv4 src=127.0.9.1:43923 fe=clients be=servers srv=a-127.0.1.1:120011 ts=00 epoch=0 age=7s calls=4',
      '0x5c0: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1',
      '0x5d0: proto=tcpv6 src=::1:43923 fe=clients be=servers srv=a-127.0.1.1:12001 ts=00 epoch=0 age=7s calls=4',
      '',
    ].join('\n');
    expect(parseSessionIds(text, 'a-127.0.1.1:12001')).toEqual(['0x5a0', '0x5d0']);
  });
});
