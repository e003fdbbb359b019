import { describe, expect, it } from 'vitest';
import { CLOSING_LIMIT_MS } from '../wire/drain-times.ts';
import { ENDING_MS } from '../wire/pre-stop.ts';
import { ARRIVING_MS, drainBegins, drainOver, mayEnd, UNREPORTED_MS, UNSEEN, withRouting, withSockets } from './backend-state.ts';
import { NO_SOCKETS } from './socket-table.ts';

const sockets = (established: number, listening = 1) => ({ ...NO_SOCKETS, established, listening });
const serving = withSockets(UNSEEN, sockets(3), 0);
const CALL = { deadlineMs: 60_000, close: true };

describe('a drain', () => {
  it('lets the kubelet go on when no session remains and no proxy routes to it', () => {
    const draining = withRouting(drainBegins(serving, CALL, 1_000), false, 1_050);
    const late = 1_050 + ARRIVING_MS;
    expect(mayEnd(withSockets(draining, sockets(3), late), late)).toBe(false);
    expect(mayEnd(withSockets(withRouting(draining, true, 1_100), sockets(0), late), late)).toBe(false);
    expect(mayEnd(withSockets(draining, sockets(0), late), late)).toBe(true);
  });

  it('believes no look that began before the last one could have arrived', () => {
    const empty = withSockets(UNSEEN, sockets(0), 900);
    const draining = withRouting(drainBegins(empty, CALL, 1_000), false, 1_050);
    expect(mayEnd(draining, 2_000)).toBe(false);
    expect(mayEnd(withSockets(draining, sockets(0), 1_049 + ARRIVING_MS), 2_000)).toBe(false);
    expect(mayEnd(withSockets(draining, sockets(0), 1_050 + ARRIVING_MS), 2_000)).toBe(true);
  });

  it('begins to wait again when a proxy routes to it again', () => {
    const again = withRouting(withRouting(withRouting(drainBegins(serving, CALL, 0), false, 100), true, 200), false, 900);
    expect(mayEnd(withSockets(again, sockets(0), 1_000), 1_000)).toBe(false);
    expect(mayEnd(withSockets(again, sockets(0), 900 + ARRIVING_MS), 1_300)).toBe(true);
  });

  it('does not wait long for a proxy that never says that it has stopped', () => {
    const draining = withRouting(drainBegins(serving, CALL, 1_000), true, 1_000);
    const late = 1_000 + UNREPORTED_MS + ARRIVING_MS;
    expect(mayEnd(withSockets(draining, sockets(0), late - 1), late)).toBe(false);
    expect(mayEnd(withSockets(draining, sockets(0), late), late)).toBe(true);
  });

  it('ends at its deadline, with time to close the remaining sessions; at once where they are kept', () => {
    const draining = drainBegins(serving, CALL, 0);
    expect(mayEnd(draining, 60_000)).toBe(false);
    expect(mayEnd(draining, 60_000 + CLOSING_LIMIT_MS)).toBe(true);
    expect(mayEnd(drainBegins(serving, { ...CALL, close: false }, 0), 60_000)).toBe(true);
  });

  it('does not end what was not asked to end', () => {
    expect(mayEnd(withSockets(UNSEEN, sockets(0), 1_000), 1_000_000)).toBe(false);
  });

  it('keeps its first clock when it is asked again', () => {
    const again = drainBegins(drainBegins(serving, CALL, 1_000), { ...CALL, deadlineMs: 90_000 }, 20_000);
    expect(again.drain).toMatchObject({ since: 1_000, deadlineAt: 61_000 });
  });

  it('is over when another server listens after the container was restarted, and not before', () => {
    const draining = drainBegins(serving, CALL, 0);
    // The server restarts itself while the pod ends: nobody new may come.
    expect(withSockets(withSockets(draining, sockets(0, 0), 1), sockets(0), 2).drain).not.toBeNull();
    const answered = drainOver(draining, 1);
    expect(withSockets(answered, sockets(0), 1).drain).not.toBeNull();
    expect(withSockets(withSockets(answered, sockets(0, 0), 1), sockets(0), 2).drain).toBeNull();
  });

  it('is over when its container was not ended after all', () => {
    const answered = drainOver(drainBegins(serving, CALL, 0), 1_000);
    expect(withSockets(answered, sockets(2), 999 + ENDING_MS).drain).not.toBeNull();
    expect(withSockets(answered, sockets(2), 1_000 + ENDING_MS).drain).toBeNull();
  });

  it('is not over while another container of the pod still waits', () => {
    const both = drainBegins(drainBegins(serving, CALL, 0), CALL, 0);
    const one = drainOver(both, 1_000);
    expect(withSockets(one, sockets(2), 2_000 + ENDING_MS).drain).not.toBeNull();
    expect(withSockets(drainOver(one, 2_000), sockets(2), 2_000 + ENDING_MS).drain).toBeNull();
  });
});
