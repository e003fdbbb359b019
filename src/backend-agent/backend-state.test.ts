import { describe, expect, it } from 'vitest';
import { CLOSING_MS, drainBegins, drainOver, mayEnd, seen, UNHEARD_MS, UNSEEN } from './backend-state.ts';
import { NO_SOCKETS } from './socket-table.ts';

const sockets = (established: number, listening = 1) => ({ ...NO_SOCKETS, established, listening });
const serving = seen(UNSEEN, sockets(3));
const CALL = { deadlineMs: 60_000, close: true };

describe('a drain', () => {
  it('lets the kubelet go on when nobody is left and no proxy sends anybody', () => {
    const draining = drainBegins(serving, CALL, 1_000);
    expect(mayEnd(draining, false, 1_100)).toBe(false);
    expect(mayEnd(seen(draining, sockets(0)), true, 1_100)).toBe(false);
    expect(mayEnd(seen(draining, sockets(0)), false, 1_100)).toBe(true);
  });

  it('does not wait long for a proxy that never says that it has stopped', () => {
    const empty = seen(drainBegins(serving, CALL, 1_000), sockets(0));
    expect(mayEnd(empty, true, 1_000 + UNHEARD_MS)).toBe(true);
  });

  it('ends at its deadline, with time to close who is left; at once where they are left alone', () => {
    const draining = drainBegins(serving, CALL, 0);
    expect(mayEnd(draining, false, 60_000)).toBe(false);
    expect(mayEnd(draining, false, 60_000 + CLOSING_MS)).toBe(true);
    expect(mayEnd(drainBegins(serving, { ...CALL, close: false }, 0), false, 60_000)).toBe(true);
  });

  it('keeps its first clock when it is asked again', () => {
    const again = drainBegins(drainBegins(serving, CALL, 1_000), { ...CALL, deadlineMs: 90_000 }, 20_000);
    expect(again.drain).toMatchObject({ since: 1_000, deadline: 61_000 });
  });

  it('is over when another server listens after the container was restarted, and not before', () => {
    const draining = drainBegins(serving, CALL, 0);
    // The server restarts itself while the pod ends: nobody new may come.
    expect(seen(seen(draining, sockets(0, 0)), sockets(0)).drain).not.toBeNull();
    const answered = drainOver(draining);
    expect(seen(answered, sockets(0)).drain).not.toBeNull();
    expect(seen(seen(answered, sockets(0, 0)), sockets(0)).drain).toBeNull();
  });
});
