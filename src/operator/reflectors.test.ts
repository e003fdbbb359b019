import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, FakeApiServer, json } from '../../test/fakes/api-server.ts';
import { FakeClock } from '../../test/fakes/clock.ts';
import { CONFIG_MAP, listOf, open, passing, project } from '../../test/fakes/reflecting.ts';
import { Reflectors } from './reflectors.ts';

const MINUTE_MS = 60_000;
const SECRET = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };

let server: FakeApiServer;
let clock: FakeClock;
let reflectors: Reflectors;
let waiting: ServerResponse | null;
let isAnswering: boolean;
let running: Promise<void>;
const end = { controller: new AbortController() };

beforeEach(async () => {
  [clock, waiting, isAnswering, end.controller] = [new FakeClock(), null, true, new AbortController()];
  server = await FakeApiServer.start((call, response) => {
    if (call.query.get('watch') === 'true') return open(response);
    if (call.path.endsWith('/configmaps') && waiting === null) waiting = response;
    else if (call.path.endsWith('/configmaps') || isAnswering) json(response, 200, listOf());
  });
  reflectors = new Reflectors({ client: server.client(), namespaces: [], clock, random: () => 0.5, report: () => undefined });
  for (const type of [CONFIG_MAP, SECRET]) {
    reflectors.add({ type, project, unreadable: project, indexOf: () => '', onChange: () => undefined });
  }
  running = reflectors.run(end.controller.signal);
  await eventually('the first kind is listed', () => waiting !== null);
});

afterEach(async () => {
  end.controller.abort();
  await server.stop();
  await running;
});

describe('Reflectors', () => {
  it('list the other kinds once all is known of the first', async () => {
    await clock.advance(1_000);
    expect([server.calledWith('GET', '/secrets').length, reflectors.synced]).toEqual([0, false]);
    if (waiting !== null) json(waiting, 200, listOf());
    await passing(clock, 'it is synced', () => reflectors.synced);
  });

  it('count no watch as stalled that waits for the first one, not even when its turn has come', async () => {
    await clock.advance(MINUTE_MS);
    expect(reflectors.stalled(MINUTE_MS / 2)).toEqual(['ConfigMap']);
    isAnswering = false;
    if (waiting !== null) json(waiting, 200, listOf());
    await passing(clock, 'the other kind is asked for', () => server.calledWith('GET', '/secrets').length > 0);
    expect(reflectors.stalled(MINUTE_MS / 2)).toEqual([]);
  });
});
