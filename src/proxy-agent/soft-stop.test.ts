import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { aStructure } from '../../test/fakes/pools.ts';
import type { Structure } from '../haproxy/model.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import { createLogger } from '../runtime/logger.ts';
import { preStopHook } from '../wire/pre-stop.ts';
import { SoftStop } from './soft-stop.ts';

const NODE = '192.0.2.1';
/** Longer than the last call. */
const SHUT_MS = 11_000;

function stopping(deadlineMs: number, close: boolean, structure: () => Structure | null = () => aStructure(), from = NODE) {
  const clock = new FakeClock();
  const softStop = new SoftStop({
    node: new Set([NODE]),
    clock,
    log: createLogger('silent', {}),
    structure,
    onChange: () => undefined,
  });
  const request = new IncomingMessage(Object.defineProperty(new Socket(), 'remoteAddress', { value: from }));
  request.url = preStopHook({ deadlineMs, close }, 9_321).httpGet.path;
  const response = new ServerResponse(request);
  let over = false;
  const answered = softStop.answer(request, response).finally(() => {
    over = true;
  });
  const see = async (sessions: number, error: string | null = null): Promise<void> => {
    softStop.observe({
      error,
      frontend: softStop.end?.frontend ?? 'open',
      servers: [{ sessions, counted: true }],
    } as unknown as ProxyObservation);
    await clock.advance(500);
  };
  /** A second call, and how it is given up. */
  const askAgain = (): (() => void) => {
    const another = new ServerResponse(request);
    void softStop.answer(request, another);
    return () => void another.emit('close');
  };
  return { clock, softStop, see, answered, askAgain, isOver: () => over, giveUp: () => void response.emit('close') };
}

describe('the soft end of a proxy', () => {
  it('lets clients in for a last while, then none', async () => {
    const { clock, softStop, see } = stopping(600_000, true);
    await see(3);
    expect(softStop.end?.frontend).toBe('open');
    await clock.advance(SHUT_MS);
    expect(softStop.end?.frontend).toBe('paused');
  });

  it('pauses the frontend of a proxy whose agent learns only afterwards what it should be', async () => {
    let known: Structure | null = null;
    const { clock, softStop, see, isOver } = stopping(600_000, true, () => known);
    await see(0);
    await clock.advance(SHUT_MS);
    expect(softStop.end).toMatchObject({ structure: null, frontend: 'paused' });
    known = aStructure();
    expect(softStop.end?.structure).toEqual(known);
    await see(0);
    await see(0);
    expect(isOver()).toBe(true);
  });

  it('believes no count from before the frontend was paused', async () => {
    const { clock, see, isOver } = stopping(600_000, true);
    await see(0);
    await clock.advance(SHUT_MS);
    expect(isOver()).toBe(false);
    await see(5); // they came in just before
    expect(isOver()).toBe(false);
    await see(0);
    await see(0);
    expect(isOver()).toBe(true);
  });

  it('has the remaining sessions closed at the deadline, and gives that time', async () => {
    const { clock, softStop, see, isOver } = stopping(60_000, true);
    await see(3);
    await clock.advance(60_000);
    expect(softStop.end?.deadlineAt).toBeLessThanOrEqual(clock.now());
    expect(isOver()).toBe(false);
    await see(0);
    await see(0);
    expect(isOver()).toBe(true);
  });

  it('has them closed sooner where its pod was given less time', async () => {
    const { clock, softStop, see, isOver } = stopping(600_000, true);
    await see(3);
    softStop.deadlineAt = clock.now() + 20_000;
    await clock.advance(19_000);
    expect(softStop.end?.deadlineAt).toBeNull();
    await clock.advance(2_000);
    expect(softStop.end?.deadlineAt).not.toBeNull();
    await clock.advance(45_000); // they do not go, and it must not be killed in the middle of it
    expect(isOver()).toBe(true);
  });

  it('closes no session where sessions are to be kept', async () => {
    const { clock, softStop, see, isOver } = stopping(60_000, false);
    await see(3);
    await clock.advance(61_000);
    expect(softStop.end?.deadlineAt).toBeNull();
    expect(isOver()).toBe(true);
  });

  it('does not wait for a HAProxy that is gone', async () => {
    const { clock, see, isOver } = stopping(600_000, true);
    await see(3);
    await clock.advance(SHUT_MS);
    await see(0, 'CCP_HAPROXY_UNREACHABLE');
    expect(isOver()).toBe(false);
    await clock.advance(30_000);
    await settle();
    expect(isOver()).toBe(true);
  });

  it('is taken back when the call is given up within a second', async () => {
    const { clock, giveUp, see, softStop } = stopping(600_000, true);
    await see(3);
    expect(softStop.end).not.toBeNull();
    giveUp();
    await settle();
    expect(softStop.end).toBeNull();
    await clock.advance(SHUT_MS);
    expect(softStop.end).toBeNull();
  });

  it('is taken back two minutes after a call was given up later, unless the operator says that the pod ends', async () => {
    for (const confirmed of [false, true]) {
      const { clock, giveUp, see, softStop } = stopping(600_000, true);
      await clock.advance(SHUT_MS);
      giveUp();
      softStop.deadlineAt = confirmed ? clock.now() + 600_000 : null;
      await settle();
      await clock.advance(119_000);
      await see(3);
      expect(softStop.end?.frontend).toBe('paused');
      await clock.advance(1_000);
      await see(3);
      expect(softStop.end?.frontend).toBe(confirmed ? 'paused' : undefined);
    }
  });

  it('does not begin by a call from elsewhere than the node, until the operator confirms it', async () => {
    const { clock, isOver, see, softStop } = stopping(600_000, true, undefined, '192.0.2.9');
    await see(0);
    await clock.advance(60_000);
    expect([softStop.end, isOver()]).toEqual([null, false]);
    softStop.deadlineAt = clock.now() + 600_000;
    await clock.advance(500);
    expect(softStop.end?.frontend).toBe('open');
    await clock.advance(SHUT_MS);
    expect(softStop.end?.frontend).toBe('paused');
  });

  it('takes nothing from a call from elsewhere once the operator has confirmed one, neither its deadline nor its haste', async () => {
    const { clock, isOver, see, softStop } = stopping(1_000, true, undefined, '192.0.2.9');
    softStop.deadlineAt = clock.now() + 60_000;
    await see(3);
    expect(softStop.end).toMatchObject({ frontend: 'open', deadlineAt: null });
    await clock.advance(SHUT_MS);
    await see(3);
    expect(softStop.end).toMatchObject({ frontend: 'paused', deadlineAt: null });
    await clock.advance(60_000);
    expect(softStop.end?.deadlineAt).not.toBeNull();
    expect(isOver()).toBe(false);
  });

  it('lets a call from elsewhere go at its deadline, and has done nothing', async () => {
    const { clock, isOver, softStop } = stopping(60_000, true, undefined, '192.0.2.9');
    await clock.advance(61_000);
    expect([softStop.end, isOver()]).toEqual([null, true]);
  });

  it('goes on while one call waits, whatever becomes of another', async () => {
    const { askAgain, clock, softStop } = stopping(600_000, true);
    await clock.advance(SHUT_MS);
    const giveUpOther = askAgain();
    await clock.advance(300);
    expect(softStop.end?.frontend).toBe('paused');
    giveUpOther();
    await clock.advance(200_000);
    expect(softStop.end?.frontend).toBe('paused');
  });
});
