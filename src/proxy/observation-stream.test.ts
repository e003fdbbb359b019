import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { anObservation } from '../../test/fakes/observations.ts';
import { ObservationStream } from './observation-stream.ts';

function listener() {
  const lines: Record<string, unknown>[] = [];
  const state = { destroyed: false, writableLength: 0 };
  const response = {
    writeHead: () => response,
    flushHeaders: () => undefined,
    on: () => response,
    destroy: () => {
      state.destroyed = true;
    },
    write: (text: string) =>
      lines.push(
        ...text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
      ),
    get writableLength() {
      return state.writableLength;
    },
  };
  return { lines, state, response: response as unknown as ServerResponse };
}

describe('ObservationStream', () => {
  it('tells a new listener everything at once', () => {
    const stream = new ObservationStream(new FakeClock());
    stream.publish(anObservation());
    const { lines, response } = listener();
    stream.add(response);
    expect(lines.map((line) => line['kind'])).toEqual(['proxy', 'server', 'synced']);
  });

  it('tells a change of state at once, and counts at most every 10 s', async () => {
    const clock = new FakeClock();
    const stream = new ObservationStream(clock);
    const { lines, response } = listener();
    stream.add(response);
    stream.publish(anObservation());
    lines.length = 0;
    stream.publish(anObservation({ sessions: 4 }));
    stream.publish(anObservation({ sessions: 5, totalSessions: 9 }));
    expect(lines).toEqual([]);
    stream.publish(anObservation({ sessions: 5, admin: 'drain' }));
    expect(lines).toMatchObject([{ kind: 'server', admin: 'drain', sessions: 5 }]);
    await clock.advance(10_000);
    stream.publish(anObservation({ sessions: 6, admin: 'drain' }));
    expect(lines[1]).toMatchObject({ sessions: 6 });
  });

  it('tells at once when the last session has ended, because a drain waits for it', () => {
    const stream = new ObservationStream(new FakeClock());
    const { lines, response } = listener();
    stream.add(response);
    stream.publish(anObservation({ sessions: 1 }));
    lines.length = 0;
    stream.publish(anObservation({ sessions: 0 }));
    expect(lines).toMatchObject([{ kind: 'server', sessions: 0 }]);
  });

  it('tells all servers again after HAProxy did not answer, to subscribers that came meanwhile, too', () => {
    const stream = new ObservationStream(new FakeClock());
    stream.publish(anObservation());
    stream.publish(anObservation({}, { error: 'CCP_HAPROXY_UNREACHABLE', servers: [] }));
    const { lines, response } = listener();
    stream.add(response);
    stream.publish(anObservation());
    expect(lines.map((line) => line['kind'])).toEqual(['proxy', 'synced', 'server', 'proxy']);
  });

  it('says that a server is gone, but not because HAProxy did not answer', () => {
    const stream = new ObservationStream(new FakeClock());
    const { lines, response } = listener();
    stream.add(response);
    stream.publish(anObservation());
    lines.length = 0;
    stream.publish(anObservation({}, { servers: [], error: 'CCP_HAPROXY_UNREACHABLE', synced: false }));
    expect(lines.map((line) => line['kind'])).toEqual(['proxy']);
    stream.publish(anObservation({}, { servers: [] }));
    expect(lines.map((line) => line['kind'])).toEqual(['proxy', 'gone', 'proxy']);
  });

  it('sends a heartbeat while nothing changes', async () => {
    const clock = new FakeClock();
    const stream = new ObservationStream(clock);
    const { lines, response } = listener();
    stream.add(response);
    stream.publish(anObservation());
    await clock.advance(10_000);
    stream.publish(anObservation());
    expect(lines.at(-1)).toEqual({ kind: 'heartbeat' });
  });

  it('cuts off a listener that does not read', () => {
    const stream = new ObservationStream(new FakeClock());
    const { state, response } = listener();
    stream.add(response);
    state.writableLength = 2_000_000;
    stream.publish(anObservation());
    expect(state.destroyed).toBe(true);
  });
});
