import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { anObservation, aServerObservation } from '../../test/fakes/observations.ts';
import { until } from '../../test/support/until.ts';
import { ObservationStream } from '../proxy/observation-stream.ts';
import type { CccamError } from '../runtime/errors.ts';
import { ProxyListener } from './proxy-listener.ts';

/** An address of its own, because the port of agents is fixed. */
const ADDRESS = `127.91.0.${1 + (process.pid % 250)}`;

let server: Server;
let clock: FakeClock;
let listener: ProxyListener;
let changes: string[];
let lost: CccamError[];
let answer: (response: ServerResponse) => void;
let open: ServerResponse[];
let servers: number;
let stop: () => Promise<void>;

beforeEach(async () => {
  [changes, lost, open, servers] = [[], [], [], 1];
  clock = new FakeClock();
  answer = () => undefined;
  server = createServer((_request, response) => {
    open.push(response);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(9_321, ADDRESS, resolve));
  listener = new ProxyListener({
    address: ADDRESS,
    clock,
    random: () => 0.5,
    servers: () => servers,
    onChange: (change) => void changes.push(change),
    onTrouble: (error) => void lost.push(error),
  });
  const end = new AbortController();
  const running = listener.run(end.signal);
  stop = async () => {
    end.abort();
    await running;
  };
});

afterEach(async () => {
  await stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** An agent that observes this. */
function observing(stream: ObservationStream): void {
  answer = (response) => stream.add(response);
}

/** Moves time on until something holds that waits for the network, too. */
async function eventually(what: string, holds: () => boolean): Promise<void> {
  await until(what, async () => {
    await clock.advance(50);
    return holds();
  });
}

/** Lines of this many servers. */
function manyServers(count: number): string {
  const server = { ...aServerObservation(), kind: 'server' };
  return Array.from({ length: count }, (_, index) => `${JSON.stringify({ ...server, name: `s${index}` })}\n`).join('');
}

const write = (text: string) => (response: ServerResponse) => void response.writeHead(200).write(text);

describe('ProxyListener', () => {
  it('knows nothing until the snapshot is whole, then everything, and tells counts from state', async () => {
    const stream = new ObservationStream(clock);
    stream.publish(anObservation({ sessions: 3 }));
    observing(stream);
    expect(listener.said).toBe('pending');
    await eventually('it is known', () => typeof listener.said === 'object');
    expect(listener.said).toMatchObject({ synced: true, servers: new Map([['a', expect.objectContaining({ sessions: 3 })]]) });
    changes.length = 0;
    await clock.advance(10_000);
    stream.publish(anObservation({ sessions: 4 }));
    await until('the count came', () => changes.length > 0);
    expect(changes).toEqual(['counts']);
    stream.publish(anObservation({ sessions: 4, admin: 'drain' }));
    await until('the state came', () => changes.includes('state'));
  });

  it('keeps what an agent said for three seconds after its connection is lost', async () => {
    const stream = new ObservationStream(clock);
    stream.publish(anObservation());
    observing(stream);
    await eventually('it is known', () => typeof listener.said === 'object');
    answer = (response) => response.destroy();
    open.at(-1)?.destroy();
    await until('it is lost', () => lost.length > 0);
    await clock.advance(2_900);
    expect(listener.said).toMatchObject({ synced: true });
    await clock.advance(100);
    expect(listener.said).toBe('unreachable');
    expect(listener.error).toBeNull();
  });

  it('stops waiting after five seconds for a proxy that answers and says nothing', async () => {
    answer = write('');
    await until('it is asked', () => open.length > 0);
    await clock.advance(4_900);
    expect(listener.said).toBe('pending');
    await clock.advance(100);
    expect(listener.said).toBe('unreachable');
  });

  it.each([
    ['lines of another version', `${JSON.stringify({ kind: 'proxy', wish: 'x' })}\n`, 'CCP_STREAM_UNREADABLE'],
    ['a line that never ends', 'x'.repeat(20_000), 'CCP_STREAM_LIMIT'],
    ['more servers than its pool has', manyServers(67), 'CCP_STREAM_LIMIT'],
    ['a flood of lines', '{"kind":"heartbeat"}\n'.repeat(300), 'CCP_STREAM_LIMIT'],
  ])('says what is wrong with an agent that sends %s, and disconnects it', async (_what, text, code) => {
    answer = write(text);
    await until('it is lost', () => lost.length > 0);
    expect([lost[0]?.code, listener.error, listener.said]).toEqual([code, code, 'unreachable']);
    await settle();
    expect(open[0]?.destroyed).toBe(true);
  });

  it('takes a snapshot of the largest pool, several times in a row', async () => {
    servers = 12_800;
    const line = (value: object): string => `${JSON.stringify(value)}\n`;
    const { servers: _, ...proxy } = anObservation();
    const snapshot = `${line({ kind: 'proxy', ...proxy })}${manyServers(12_800)}${line({ kind: 'synced' })}`;
    for (let time = 1; time <= 3; time += 1) {
      answer = write(snapshot);
      await eventually('it is known', () => open.length === time && typeof listener.said === 'object');
      expect(listener.said).toMatchObject({ servers: { size: 12_800 } });
      open.at(-1)?.destroy();
      await until('it is lost', () => lost.length > 0);
    }
    expect(lost.map(({ code }) => code)).toEqual(['CCP_STREAM_LOST']);
  });

  it('asks an agent that sends too much more and more seldom, and does not forget what it sent each time', async () => {
    answer = write('\n'.repeat(300));
    await until('it is lost', () => lost.length > 0);
    for (let second = 0; second < 300; second += 1) {
      await clock.advance(1_000);
      await settle();
    }
    expect(open.length).toBeLessThan(12);
  });

  it('gives up an agent that is silent for 25 seconds', async () => {
    const stream = new ObservationStream(clock);
    stream.publish(anObservation());
    observing(stream);
    await eventually('it is known', () => typeof listener.said === 'object');
    await clock.advance(24_000);
    expect(lost).toEqual([]);
    await clock.advance(1_000);
    await until('it is lost', () => lost.length > 0);
    expect(lost[0]?.message).toContain('silent');
  });

  it('forgets the servers of a HAProxy that cannot be read, and says why', async () => {
    const stream = new ObservationStream(clock);
    stream.publish(anObservation());
    observing(stream);
    await eventually('it is known', () => typeof listener.said === 'object');
    stream.publish(anObservation({}, { error: 'CCP_HAPROXY_UNREACHABLE', servers: [] }));
    await until('it says so', () => listener.error === 'CCP_HAPROXY_UNREACHABLE');
    expect(listener.said).toBe('unreachable');
    stream.publish(anObservation());
    await until('it is read again', () => typeof listener.said === 'object');
    expect(listener.said).toMatchObject({ servers: { size: 1 } });
  });

  it('forgets a server that is gone', async () => {
    const stream = new ObservationStream(clock);
    stream.publish(anObservation());
    observing(stream);
    await eventually('it is known', () => typeof listener.said === 'object');
    stream.publish(anObservation({}, { servers: [] }));
    await until('it is gone', () => typeof listener.said === 'object' && listener.said.servers.size === 0);
  });
});
