import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVE, type DrainState, drainVerdict, nextDrainState, type SessionCount } from './drain.ts';

const reason = fc.constantFrom('requested' as const, 'removed' as const, null);

describe('nextDrainState', () => {
  it('starts the clock once', () => {
    const first = nextDrainState(ACTIVE, 'requested', 1_000);
    expect(first).toEqual({ kind: 'draining', reason: 'requested', since: 1_000 });
    expect(nextDrainState(first, 'requested', 5_000)).toBe(first);
  });

  it('keeps the clock when only the reason changes', () => {
    expect(nextDrainState({ kind: 'draining', reason: 'requested', since: 1_000 }, 'removed', 9_000)).toEqual({
      kind: 'draining',
      reason: 'removed',
      since: 1_000,
    });
  });

  it('is undone when nothing asks for it any more, and starts again after that', () => {
    const undone = nextDrainState({ kind: 'draining', reason: 'requested', since: 1_000 }, null, 2_000);
    expect(undone).toEqual(ACTIVE);
    expect(nextDrainState(undone, 'requested', 3_000)).toMatchObject({ since: 3_000 });
  });

  it('does not wait longer than from now when the clock of the machine was set back', () => {
    expect(nextDrainState({ kind: 'draining', reason: 'requested', since: 9_000 }, 'requested', 1_000)).toMatchObject({ since: 1_000 });
  });

  it('loses no clock over any sequence of events', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reason, fc.nat(10_000)), { maxLength: 50 }), (events) => {
        let state: DrainState = ACTIVE;
        let now = 0;
        let begun: number | null = null;
        for (const [asked, passed] of events) {
          now += passed;
          begun = asked === null ? null : (begun ?? now);
          state = nextDrainState(state, asked, now);
          expect(state.kind === 'draining' ? state.since : null).toBe(begun);
          expect(nextDrainState(state, asked, now)).toEqual(state);
        }
      }),
    );
  });
});

describe('drainVerdict', () => {
  const drain: DrainState = { kind: 'draining', reason: 'requested', since: 1_000 };
  const server = { drain, deadlineMs: 600, weight: 10 };
  const count = (sessions: number, outOfRotation = true): SessionCount => ({ sessions, counted: true, outOfRotation });
  const underWay = { kind: 'draining', deadlineAt: 1_600, overdue: false };

  it('is drained only when no session is left and no new one can come', () => {
    expect(drainVerdict(server, count(0), 1_100)).toEqual({ kind: 'drained' });
    expect(drainVerdict(server, count(0, false), 1_100)).toEqual(underWay);
    expect(drainVerdict(server, { ...count(0), counted: false }, 1_100)).toEqual(underWay);
    expect(drainVerdict(server, null, 1_100)).toEqual(underWay);
  });

  it('is overdue from the deadline on', () => {
    expect(drainVerdict(server, count(3), 1_599)).toEqual(underWay);
    expect(drainVerdict(server, count(3), 1_600)).toEqual({ kind: 'draining', deadlineAt: 1_600, overdue: true });
  });

  it('is without a deadline where only the weight keeps new sessions away', () => {
    const unweighted = { ...server, drain: ACTIVE, weight: 0 };
    expect(drainVerdict(unweighted, count(3), 9_999)).toEqual({ kind: 'weightZero', empty: false });
    expect(drainVerdict(unweighted, count(0), 9_999)).toEqual({ kind: 'weightZero', empty: true });
    expect(drainVerdict(unweighted, count(0, false), 9_999)).toEqual({ kind: 'weightZero', empty: false });
  });

  it('never calls an active server drained', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.boolean(),
        fc.nat(),
        (sessions, out, now) => drainVerdict({ ...server, drain: ACTIVE }, count(sessions, out), now).kind === 'active',
      ),
    );
  });
});
