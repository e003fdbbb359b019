import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accepted, type LearnedLimit, mayBeFull, NO_LIMIT, refusedAt } from './learned-limit.ts';

const MINUTE = 60_000;

describe('mayBeFull', () => {
  it('is what a server may be that refuses at more sessions than it has taken lately', () => {
    expect(mayBeFull(accepted(NO_LIMIT, 39, 0), 40, 0)).toBe(true);
  });

  it('is no server that took a connection at as many a moment ago: it has another reason, such as a ban', () => {
    const checked = accepted(NO_LIMIT, 40, 0);
    expect(mayBeFull(checked, 40, 4 * MINUTE)).toBe(false);
    expect(mayBeFull(checked, 40, 6 * MINUTE)).toBe(true);
  });

  it('is not learned from a server without sessions', () => {
    expect(mayBeFull(NO_LIMIT, 0, 0)).toBe(false);
  });

  it('is no server that goes on refusing while its sessions leave', () => {
    const learned = refusedAt(NO_LIMIT, 40, false);
    expect(mayBeFull(learned, 39, 0)).toBe(true);
    expect(mayBeFull(refusedAt(learned, 39, false), 38, 0)).toBe(false);
  });
});

describe('a learned limit', () => {
  it('is given back carefully: one place, then two, then four, for each connection taken at it', () => {
    let limit = refusedAt(NO_LIMIT, 40, false);
    const steps: (number | null)[] = [];
    for (let time = 1; time <= 4; time += 1) {
      limit = accepted(limit, limit.sessions ?? 0, time * MINUTE);
      steps.push(limit.sessions);
    }
    expect(steps).toEqual([41, 43, 47, 55]);
    expect(refusedAt(limit, 55, false)).toMatchObject({ sessions: 55, step: 1 });
  });

  it('is sure once the server has taken a connection below it again', () => {
    const learned = refusedAt(NO_LIMIT, 40, false);
    expect(learned.sure).toBe(false);
    expect(accepted(learned, 39, 0)).toMatchObject({ sure: true, sessions: 40 });
  });

  it('never grows by a refusal, and never falls by a connection that was taken', () => {
    const step = fc.record({ taken: fc.boolean(), sessions: fc.nat(200) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let limit: LearnedLimit = NO_LIMIT;
        for (const [now, { sessions, taken }] of steps.entries()) {
          const before = limit.sessions ?? Number.POSITIVE_INFINITY;
          limit = taken ? accepted(limit, sessions, now) : refusedAt(limit, sessions, false);
          const after = limit.sessions ?? Number.POSITIVE_INFINITY;
          if (taken) expect(after).toBeGreaterThanOrEqual(before);
          else expect(after).toBe(Math.min(before, sessions));
        }
      }),
    );
  });

  it('remembers little, however long it lasts', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 300 }), (counts) => {
        let limit: LearnedLimit = NO_LIMIT;
        for (const [index, sessions] of counts.entries()) limit = accepted(limit, sessions, index * MINUTE);
        expect(limit.accepted.length).toBeLessThanOrEqual(7);
      }),
    );
  });
});
