import { afterEach, describe, expect, it } from 'vitest';
import { eventually, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { LeaseElector, type LeaseOptions, type Term } from './lease.ts';
import type { Transport } from './transport.ts';

const servers: FakeApiServer[] = [];
const ends: AbortController[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) end.abort();
  for (const server of servers.splice(0)) await server.stop();
});

interface LeaseObject {
  metadata: { name: string; namespace: string; resourceVersion?: string; uid?: string };
  spec: { holderIdentity: string; renewTime: string; leaseTransitions: number; leaseDurationSeconds: number };
}

/** An API server that holds one lease and checks it as the real one does. */
async function leaseServer() {
  const state: { lease: LeaseObject | null; broken: number | null; writes: number } = { lease: null, broken: null, writes: 0 };
  const server = await FakeApiServer.start((call, response) => {
    if (state.broken !== null) return refuse(response, state.broken, 'Broken');
    if (call.method === 'GET') return state.lease === null ? refuse(response, 404, 'NotFound') : json(response, 200, state.lease);
    const next = call.body as LeaseObject;
    if (!/\.[0-9]{6}Z$/.test(next.spec.renewTime)) return refuse(response, 400, 'BadRequest');
    if (call.method === 'POST' && state.lease !== null) return refuse(response, 409, 'AlreadyExists');
    if (call.method === 'PUT' && next.metadata.resourceVersion !== state.lease?.metadata.resourceVersion)
      return refuse(response, 409, 'Conflict');
    state.writes += 1;
    state.lease = { ...next, metadata: { ...next.metadata, uid: 'u', resourceVersion: String(state.writes) } };
    return json(response, 200, state.lease);
  });
  servers.push(server);
  return { server, state };
}

function candidate(server: FakeApiServer, identity: string, clock: FakeClock, changes: Partial<LeaseOptions> = {}) {
  const client = changes.client ?? server.client();
  const end = new AbortController();
  ends.push(end);
  const errors: unknown[] = [];
  const terms: Term[] = [];
  const elector = new LeaseElector({
    client,
    namespace: 'ns',
    name: 'l',
    identity,
    clock,
    random: () => 0.5,
    onError: (thrown) => errors.push(thrown),
    ...changes,
  });
  countCalls(client.transport);
  const outcome = elector.run(async (term) => {
    terms.push(term);
    await new Promise<void>((resolve) => term.signal.addEventListener('abort', () => resolve(), { once: true }));
  }, end.signal);
  return { elector, end, errors, terms, outcome };
}

/** Calls that have not been answered. */
let underWay = 0;

function countCalls(transport: Transport): void {
  const request = transport.request.bind(transport);
  transport.request = async (call) => {
    underWay += 1;
    return await request(call).finally(() => {
      underWay -= 1;
    });
  };
}

/** Lets the time pass in small steps; the clock waits for calls, however slow the machine is, but not for ever. */
async function pass(clock: FakeClock, ms: number, until: () => boolean = () => false): Promise<void> {
  for (let at = 0; at < ms && !until(); at += 500) {
    await clock.advance(500);
    const limit = performance.now() + 1_000;
    do await settle();
    while (underWay > 0 && performance.now() < limit);
  }
}

describe('LeaseElector', () => {
  it('lets one lead, and the next one soon after the first one has given it back', async () => {
    const { server, state } = await leaseServer();
    const clock = new FakeClock();
    const first = candidate(server, 'one', clock);
    await eventually('the first leads', () => first.terms.length === 1);
    const second = candidate(server, 'two', clock);
    await pass(clock, 30_000);
    expect([first.elector.leads, second.elector.leads]).toEqual([true, false]);
    first.end.abort();
    expect(await first.outcome).toBe('stopped');
    expect(state.lease?.spec.holderIdentity).toBe('');
    await pass(clock, 3_000, () => second.terms.length === 1);
    expect(second.elector.leads).toBe(true);
    expect(state.lease?.spec.leaseTransitions).toBe(1);
  });

  it('takes over from a holder that is gone after 15 s of its own clock, whatever the lease says of times', async () => {
    const { server, state } = await leaseServer();
    for (const renewTime of ['2099-01-01T00:00:00.000000Z', '1970-01-01T00:00:00.000000Z']) {
      state.lease = {
        metadata: { name: 'l', namespace: 'ns', resourceVersion: '0', uid: 'u' },
        spec: { holderIdentity: 'gone', renewTime, leaseTransitions: 3, leaseDurationSeconds: 1e9 },
      };
      const clock = new FakeClock();
      const next = candidate(server, `next-${renewTime}`, clock);
      await pass(clock, 14_500);
      expect(next.terms, renewTime).toHaveLength(0);
      await pass(clock, 5_000, () => next.terms.length === 1);
      expect(next.terms, renewTime).toHaveLength(1);
      next.end.abort();
      await next.outcome;
    }
  });

  it.each([503, 403])(
    'ends its term ten seconds after the last renewal that has worked, and may be a candidate again: %i',
    async (status) => {
      const { server, state } = await leaseServer();
      const clock = new FakeClock();
      const leader = candidate(server, 'one', clock);
      await eventually('it leads', () => leader.terms.length === 1);
      state.broken = status;
      await pass(clock, 9_000);
      expect(leader.terms[0]?.signal.aborted).toBe(false);
      await pass(clock, 2_000, () => leader.terms[0]?.signal.aborted === true);
      expect(leader.terms[0]?.signal.aborted).toBe(true);
      expect(await leader.outcome).toBe('starved');
      expect(leader.errors.length).toBeGreaterThan(0);
    },
  );

  it('lets no process write whose term is over, even before its timers have noticed', async () => {
    const { server, state } = await leaseServer();
    const clock = new FakeClock();
    const leader = candidate(server, 'one', clock);
    await eventually('it leads', () => leader.terms.length === 1);
    leader.terms[0]?.assertHeld();
    const [term] = leader.terms;
    const writes = state.writes;
    // As after SIGSTOP: the clock has gone on and nothing has run yet.
    Object.defineProperty(clock, 'monotonic', { value: () => clock.now() + 40_000 });
    expect(() => term?.assertHeld()).toThrow('could not be renewed');
    await pass(clock, 3_000);
    expect(await leader.outcome).toBe('lost');
    expect(state.writes).toBe(writes);
  });

  it('is lost by a process that was stopped while a renewal was on its way: no answer is not what ended its term', async () => {
    const { server } = await leaseServer();
    const clock = new FakeClock();
    const leader = candidate(server, 'one', clock, { client: server.client({ timeoutMs: 100 }) });
    await eventually('it leads', () => leader.terms.length === 1);
    const { answer } = server;
    const writes: string[] = [];
    server.answer = (call, response) => {
      if (call.method === 'GET') return answer(call, response);
      writes.push(call.method);
      // It hangs; the process is stopped, and goes on forty seconds later.
      Object.defineProperty(clock, 'monotonic', { value: () => clock.now() + 40_000 });
    };
    await pass(clock, 3_000, () => writes.length > 0);
    expect(await leader.outcome).toBe('lost');
  });

  it('stops at once when another process takes the lease, and does not give back what is not its own', async () => {
    const { server, state } = await leaseServer();
    const clock = new FakeClock();
    const leader = candidate(server, 'one', clock);
    await eventually('it leads', () => leader.terms.length === 1);
    if (state.lease !== null) state.lease = { ...state.lease, spec: { ...state.lease.spec, holderIdentity: 'stranger' } };
    await pass(clock, 4_000, () => leader.terms[0]?.signal.aborted === true);
    expect(await leader.outcome).toBe('lost');
    expect(state.lease?.spec.holderIdentity).toBe('stranger');
  });

  it('makes the lease again when it is deleted', async () => {
    const { server, state } = await leaseServer();
    const clock = new FakeClock();
    const leader = candidate(server, 'one', clock);
    await eventually('it leads', () => leader.terms.length === 1);
    state.lease = null;
    await pass(clock, 4_000, () => state.lease !== null);
    expect(leader.elector.leads).toBe(true);
  });
});
