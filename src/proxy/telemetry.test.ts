import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anObservation, aServerObservation } from '../../test/fakes/observations.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import { systemClock } from '../runtime/clock.ts';
import { type HttpServer, serveHttp } from '../runtime/http-server.ts';
import { ProxyTelemetry } from './telemetry.ts';

const NONE = { sessions: 0, totalSessions: 0 };
const SERVES = anObservation(NONE);
const DRAINED = aServerObservation({ ...NONE, admin: 'drain', inRotation: false });

let telemetry: ProxyTelemetry;
let http: HttpServer;

beforeEach(async () => {
  telemetry = new ProxyTelemetry(systemClock);
  http = await serveHttp({ host: '127.0.0.1', port: 0, option: '--http' }, telemetry.routes());
});

afterEach(async () => {
  await http.close();
});

/** Whether clients may be sent to the proxy after it was seen like that. */
async function ready(...seen: Partial<ProxyObservation>[]): Promise<boolean> {
  for (const each of seen) telemetry.update({ ...SERVES, ...each });
  return (await fetch(`http://127.0.0.1:${http.port}/readyz`)).ok;
}

describe('a proxy', () => {
  it('is ready once it runs what was asked for and has a server to send clients to', async () => {
    expect(await ready()).toBe(false);
    expect(await ready({ synced: false })).toBe(false);
    expect(await ready({ servers: [DRAINED] })).toBe(false);
    expect(await ready({})).toBe(true);
  });

  it('stays ready while a reload waits or fails and while every server is drained, but not while HAProxy does not answer', async () => {
    expect(await ready({}, { synced: false })).toBe(true);
    expect(await ready({ servers: [DRAINED] })).toBe(true);
    expect(await ready({ error: 'CCP_HAPROXY_UNREACHABLE', currentPid: null })).toBe(false);
    expect(await ready({ servers: [DRAINED] })).toBe(true);
  });

  it.each([{ sessions: 40 }, { totalSessions: 7 }])(
    'that has served before its agent began is ready though nobody is in rotation: %j',
    async (served) => {
      expect(await ready({ servers: [{ ...DRAINED, ...served }] })).toBe(true);
    },
  );
});
