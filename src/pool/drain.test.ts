import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVE, type DrainState, drainProgress, nextDrainState } from './drain.ts';

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

  it('is undone when nothing asks for it any more, and starts anew after that', () => {
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

describe('drainProgress', () => {
  const draining: DrainState = { kind: 'draining', reason: 'requested', since: 1_000 };

  it('is over only when nobody is left and nobody new can come', () => {
    expect(drainProgress(draining, 600, 0, true, 1_100)).toEqual({ kind: 'drained' });
    expect(drainProgress(draining, 600, 0, false, 1_100)).toEqual({ kind: 'draining', deadline: 1_600, sessions: 0 });
    expect(drainProgress(draining, 600, null, true, 1_100)).toEqual({ kind: 'draining', deadline: 1_600, sessions: null });
  });

  it('is overdue from the deadline on', () => {
    expect(drainProgress(draining, 600, 3, true, 1_599).kind).toBe('draining');
    expect(drainProgress(draining, 600, 3, true, 1_600)).toEqual({ kind: 'overdue', deadline: 1_600, sessions: 3 });
  });

  it('never calls an active server drained', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), fc.nat(), (sessions, out, now) => drainProgress(ACTIVE, 1, sessions, out, now).kind === 'active'),
    );
  });
});
