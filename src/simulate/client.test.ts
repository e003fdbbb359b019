import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { until } from '../../test/support/until.ts';
import { delayMs, SimulatedClient, type SimulatedClientOptions, startClients } from './client.ts';
import { SimulatedServer } from './server.ts';

describe('delayMs', () => {
  it('is the same each time, or doubles up to its cap', () => {
    expect([1, 2, 9].map((failures) => delayMs({ kind: 'fixed', delayMs: 3_000 }, failures))).toEqual([3_000, 3_000, 3_000]);
    expect([1, 2, 3, 99].map((failures) => delayMs({ kind: 'doubling', firstMs: 100, capMs: 60_000 }, failures))).toEqual([
      100, 200, 400, 60_000,
    ]);
  });
});

describe('SimulatedClient', () => {
  const end = new AbortController();
  let server: SimulatedServer;
  afterEach(async () => await server.kill());

  async function serve(): Promise<void> {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'attic' });
    await server.listen();
  }

  const options = (more: Partial<SimulatedClientOptions> = {}): SimulatedClientOptions => ({
    host: '127.0.0.1',
    port: server.port,
    retry: { kind: 'fixed', delayMs: 50 },
    patienceMs: null,
    ...more,
  });

  it('holds a session, comes back when it loses it, and counts what it lost', async () => {
    await serve();
    const stop = new AbortController();
    const served: string[] = [];
    const client = new SimulatedClient(options({ onServed: (label) => served.push(label) }));
    const running = client.run(stop.signal);
    await until('it is served', () => client.servedBy === 'attic');
    await server.kill();
    await until('it has lost its session', () => client.lost === 1);
    await server.listen();
    await until('it is served again', () => client.servedBy === 'attic');
    expect(served).toEqual(['attic', 'attic']);
    stop.abort();
    await running;
    expect(client.lost).toBe(1);
  });

  it('gives up on a silent server only if it has a time limit of its own', async () => {
    await serve();
    server.mode = 'hung';
    const clock = new FakeClock();
    const stop = new AbortController();
    const patient = new SimulatedClient(options({ clock }));
    const hasty = new SimulatedClient(options({ clock, patienceMs: 3_000 }));
    const running = [patient.run(stop.signal), hasty.run(stop.signal)];
    await until('both wait', () => server.accepted === 2);
    await clock.advance(3_000);
    await until('one has gone', async () => {
      await clock.advance(50);
      return hasty.attempts === 2;
    });
    expect(patient.attempts).toBe(1);
    stop.abort();
    await Promise.all(running);
  });

  it('come each from an address of their own', async () => {
    await serve();
    const { clients, done } = startClients(3, options(), end.signal);
    await until('all are served', () => clients.every((client) => client.servedBy === 'attic'));
    expect(server.sessions).toBe(3);
    end.abort();
    await done;
  });
});
