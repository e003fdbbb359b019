import { afterEach, describe, expect, it } from 'vitest';
import { FakeApiServer, json, refuse } from '../../test/fakes/api-server.ts';
import { FakeClock } from '../../test/fakes/clock.ts';
import { EventRecorder, type RecordedEvent } from './event-recorder.ts';

let server: FakeApiServer;
const signal = new AbortController().signal;

afterEach(async () => {
  await server.stop();
});

function anEvent(changes: Partial<RecordedEvent> = {}): RecordedEvent {
  return {
    regarding: { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', namespace: 'ns', name: 'p', uid: 'u' },
    type: 'Normal',
    reason: 'Draining',
    action: 'Drain',
    note: 'n',
    ...changes,
  };
}

async function recorder() {
  server = await FakeApiServer.start((call, response) => json(response, 200, call.body));
  const clock = new FakeClock();
  return {
    clock,
    subject: new EventRecorder({
      client: server.client(),
      clock,
      random: Math.random,
      controller: 'cccam.dev/operator',
      instance: 'pod-1',
    }),
  };
}

describe('EventRecorder', () => {
  it('writes what events.k8s.io asks for, with times of six digits', async () => {
    const { subject } = await recorder();
    await subject.record(anEvent({ note: 'x'.repeat(5_000) }), signal);
    const [call] = server.calls;
    expect(call?.path).toBe('/apis/events.k8s.io/v1/namespaces/ns/events');
    expect(call?.body).toMatchObject({
      eventTime: expect.stringMatching(/\.\d{6}Z$/),
      reportingController: 'cccam.dev/operator',
      action: 'Drain',
    });
    expect(call?.body).toMatchObject({ note: 'x'.repeat(1_000) });
  });

  it('counts the same thing in one event, written at most once a minute', async () => {
    const { subject, clock } = await recorder();
    for (let second = 0; second < 180; second += 1) {
      await subject.record(anEvent(), signal);
      await clock.advance(1_000);
    }
    expect(server.calledWith('POST')).toHaveLength(1);
    expect(server.calledWith('PATCH').map((call) => (call.body as { series: { count: number } }).series.count)).toEqual([61, 121]);
  });

  it('makes a new event for another reason, another object, or much later', async () => {
    const { subject, clock } = await recorder();
    await subject.record(anEvent(), signal);
    await subject.record(anEvent({ reason: 'Drained' }), signal);
    await subject.record(anEvent({ regarding: { ...anEvent().regarding, uid: 'other' } }), signal);
    await clock.advance(700_000);
    await subject.record(anEvent(), signal);
    expect(server.calledWith('POST')).toHaveLength(4);
  });

  it('begins again when the event that it counts in has been forgotten', async () => {
    const { subject, clock } = await recorder();
    await subject.record(anEvent(), signal);
    server.answer = (call, response) => (call.method === 'PATCH' ? refuse(response, 404, 'NotFound') : json(response, 200, call.body));
    await clock.advance(61_000);
    await subject.record(anEvent(), signal);
    await subject.record(anEvent(), signal);
    expect(server.calledWith('POST')).toHaveLength(2);
  });
});
