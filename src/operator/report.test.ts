import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { anOutcome, aPass } from '../../test/fakes/passes.ts';
import type { PoolStatus } from '../api/v1alpha1/index.ts';
import type { PodPatch } from '../pool/pod-patch.ts';
import type { PoolEvent } from '../pool/pool-event.ts';
import { upgradeAgents } from './agent-upgrades.ts';
import { report } from './report.ts';

const STATUS = { conditions: [] } as unknown as PoolStatus;
const EVENT: PoolEvent = { type: 'Normal', reason: 'ServerUp', note: 'a takes new sessions' };
const patch = (name: string): PodPatch => ({ name, uid: `u-${name}`, annotations: { a: 'b' }, conditions: null });

let server: FakeApiServer;

afterEach(async () => {
  await server.stop();
});

async function serving(answer: Answer = () => undefined): Promise<FakeApiServer> {
  server = await FakeApiServer.start(async (call, response) => {
    await answer(call, response);
    if (!response.writableEnded) json(response, 200, call.body ?? {});
  });
  return server;
}

function refusing(part: string, code: number): Answer {
  return (call, response) => (call.path.includes(part) ? refuse(response, code, 'Refused') : undefined);
}

const writes = (): string[] => server.calls.map(({ path }) => path.split('/').slice(-2).join('/'));

describe('report', () => {
  it('writes to pods by their uid, then the status, then Events, and yields before each write', async () => {
    const { pass, seen } = aPass(await serving());
    const yields: number[] = [];
    const tools = { ...pass.tools, yieldToApplies: async () => void yields.push(server.calls.length) };
    pass.state.pendingEvents.push(EVENT);
    await report({ ...pass, tools }, anOutcome({}, { pods: [patch('x')], status: STATUS, statusEvents: [EVENT] }).report);
    expect(writes()).toEqual(['pods/x', 'p/status']);
    expect(server.calls.map(({ body }) => (body as { metadata: { uid: string } }).metadata.uid)).toEqual(['u-x', 'pool']);
    expect([seen.events, yields, pass.state.pendingEvents]).toEqual([[EVENT.note, EVENT.note], [0, 1, 2, 2], []]);
  });

  it.each([404, 409])('takes a pod that is gone, or another one of its name, for done: %i', async (code) => {
    const { pass } = aPass(await serving(refusing('/pods/', code)));
    await report(pass, anOutcome({}, { pods: [patch('x')] }).report);
  });

  it('takes a pool that was deleted meanwhile for done', async () => {
    const { pass } = aPass(await serving(refusing('/cccampools/', 404)));
    await report(pass, anOutcome({}, { status: STATUS }).report);
  });

  it('writes the status and Events all the same when pods cannot be written, and fails with every reason', async () => {
    const { pass, seen } = aPass(await serving(refusing('/pods/', 503)));
    const outcome = anOutcome({}, { pods: [patch('x'), patch('y')], status: STATUS, statusEvents: [EVENT] });
    await expect(report(pass, outcome.report)).rejects.toThrow(AggregateError);
    expect([writes(), seen.events]).toEqual([['pods/x', 'pods/y', 'p/status'], [EVENT.note]]);
  });

  it('keeps pending Events when the status cannot be written, and loses no reason', async () => {
    const { pass } = aPass(await serving(refusing('/', 503)));
    pass.state.pendingEvents.push(EVENT);
    await expect(report(pass, anOutcome({}, { pods: [patch('x')], status: STATUS }).report)).rejects.toMatchObject({
      errors: { length: 2 },
    });
    expect(pass.state.pendingEvents).toEqual([EVENT]);
    expect(pass.state.statusAt).toBe(Number.NEGATIVE_INFINITY);
  });

  it('says that an Event was lost, and goes on', async () => {
    const { pass, seen } = aPass(await serving());
    const tools = { ...pass.tools, events: { record: async () => await Promise.reject(new Error('no room')) } };
    await report({ ...pass, tools }, anOutcome({}, { statusEvents: [EVENT, EVENT] }).report);
    expect(seen.lost).toHaveLength(2);
  });
});

describe('upgradeAgents', () => {
  it('changes the image of the agent alone, in that very pod, and goes on where one fails', async () => {
    const { pass } = aPass(await serving(refusing('/pods/x', 503)));
    const upgrade = (name: string) => ({ name, uid: `u-${name}`, container: 'agent', image: 'new', replaces: 'c1' });
    await expect(upgradeAgents(pass, [upgrade('x'), upgrade('y')])).rejects.toThrow('Refused');
    expect(server.calls[1]?.headers['content-type']).toBe('application/strategic-merge-patch+json');
    expect(server.calls[1]?.body).toMatchObject({ metadata: { uid: 'u-y' }, spec: { initContainers: [{ name: 'agent', image: 'new' }] } });
  });
});
