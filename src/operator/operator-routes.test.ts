import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { type HttpServer, serveHttp } from '../runtime/http-server.ts';
import { operatorRoutes } from './operator-routes.ts';

let http: HttpServer | undefined;

afterEach(async () => {
  await http?.close();
});

/** What the paths answer when the watches are like this. */
async function answers(watches: { stalledMs?: number; stuckMs?: number; synced?: boolean }): Promise<Record<string, string>> {
  const { stalledMs = 0, stuckMs = 0, synced = true } = watches;
  const longer = (than: number, ms: number): string[] => (ms > than ? ['Pod'] : []);
  const registry = { contentType: 'text/plain', metrics: async () => 'up 1\n' };
  const routes = operatorRoutes(
    { stalled: (ms) => longer(ms, stalledMs), stuck: (ms) => longer(ms, stuckMs), synced },
    registry,
    systemClock,
  );
  http = await serveHttp({ host: '127.0.0.1', port: 0, option: '--http' }, routes);
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${http?.port}${path}`);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  return { healthz: await get('/healthz'), readyz: await get('/readyz') };
}

describe('operatorRoutes', () => {
  it('are ready when every watch has been read once', async () => {
    expect(await answers({})).toEqual({ healthz: '200 ok', readyz: '200 ok' });
    await http?.close();
    expect(await answers({ synced: false })).toEqual({ healthz: '200 ok', readyz: '503 the caches are not warm yet' });
  });

  it('tell of a watch that cannot advance: soon that it is not ready, and later that a restart is due', async () => {
    const readyz = '503 a watch cannot read what it gets: Pod';
    expect(await answers({ stuckMs: 30_000 })).toEqual({ healthz: '200 ok', readyz });
    await http?.close();
    expect(await answers({ stuckMs: 900_000 })).toEqual({ healthz: '503 a watch does nothing: Pod', readyz });
  });

  it('ask for a restart when a watch does nothing at all', async () => {
    expect(await answers({ stalledMs: 900_000 })).toMatchObject({ healthz: '503 a watch does nothing: Pod' });
  });
});
