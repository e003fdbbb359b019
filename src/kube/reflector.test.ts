import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { aConfigMap, eventually, FakeApiServer, json, refuse, tell } from '../../test/fakes/api-server.ts';
import { FakeClock, settle } from '../../test/fakes/clock.ts';
import { endReflectors, failures, listOf, open, passing, reflecting, shortened, stopAfterwards } from '../../test/fakes/reflecting.ts';

afterEach(endReflectors);

describe('Reflector', () => {
  it('survives every way in which a list can fail, and is in sync only when one has succeeded', async () => {
    const { controller, reflector, store, run, server } = await reflecting(
      (_, response, nth) => {
        if (nth === 1) return refuse(response, 500, 'InternalError');
        if (nth === 2) return void response.socket?.resetAndDestroy();
        if (nth === 3) return refuse(response, 429, 'TooManyRequests');
        return json(response, 200, listOf(aConfigMap('a', '1')));
      },
      (_, response) => open(response),
      { clock: shortened() },
    );
    const running = run();
    await eventually('the second list', () => server.lists.length >= 2);
    expect(reflector.synced).toBe(false);
    await eventually('it is synced', () => reflector.synced);
    expect(store.size).toBe(1);
    controller.abort();
    await running;
  });

  it('resumes where it was cut off, in mid-line too, without a list', async () => {
    const { store, server, run } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (call, response, nth) => {
        open(response);
        if (nth === 1) {
          tell(response, 'ADDED', aConfigMap('a', '101'));
          response.write('{"type":"ADDED","object":{"metada', () => response.socket?.resetAndDestroy());
        } else if (nth === 2) {
          expect(call.query.get('resourceVersion')).toBe('101');
          tell(response, 'ADDED', aConfigMap('b', '102'));
        }
      },
      { clock: shortened() },
    );
    void run();
    await eventually('both objects', () => store.size === 2);
    expect(server.lists).toHaveLength(1);
  });

  it('resumes soon however often it is cut off, as long as each watch tells something new', async () => {
    const { reports, run, server } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (call, response, nth) => {
        open(response);
        if (nth > 8) return;
        const version = Number(call.query.get('resourceVersion')) + 1;
        response.write(`${JSON.stringify({ type: 'ADDED', object: aConfigMap('a', String(version)) })}\n`, () =>
          response.socket?.resetAndDestroy(),
        );
      },
      { clock: shortened() },
    );
    void run();
    await eventually('it was cut off eight times', () => server.watches.length === 9);
    const waits = reports.flatMap((report) => (report.kind === 'failed' ? [report.retryInMs] : []));
    expect([waits.length, Math.max(...waits)]).toEqual([8, 140]);
  });

  it('asks for bookmarks and resumes at the last one', async () => {
    const { server, run } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response, nth) => {
        open(response);
        if (nth > 1) return;
        tell(response, 'BOOKMARK', { metadata: { resourceVersion: '555' } });
        response.end();
      },
      { clock: shortened() },
    );
    void run();
    await eventually('the second watch', () => server.watches.length === 2);
    expect(server.watches.map((call) => call.query.get('allowWatchBookmarks'))).toEqual(['true', 'true']);
    expect(server.watches[1]?.query.get('resourceVersion')).toBe('555');
  });

  it.each(['status', 'event'])('lists again after a 410 as %s, without becoming hot', async (form) => {
    const clock = new FakeClock();
    const { server, run } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response) => {
        if (form === 'status') return refuse(response, 410, 'Expired');
        open(response);
        tell(response, 'ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
        response.end();
      },
      { clock },
    );
    void run();
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000);
      for (let turn = 0; turn < 10; turn += 1) await settle();
    }
    expect(server.lists.length).toBeGreaterThan(3);
    expect(server.lists.length).toBeLessThanOrEqual(12);
  });

  it('lists again after a line that it cannot read, for what was in it is lost', async () => {
    const { server, store, run } = await reflecting(
      (_, response, nth) => json(response, 200, nth === 1 ? listOf() : listOf(aConfigMap('a', '101'))),
      (_, response, nth) => {
        open(response);
        if (nth === 1) response.write('{"type":"ADDED","object":{garbled}\n');
      },
      { clock: shortened() },
    );
    void run();
    await eventually('the object of the garbled line', () => store.size === 1);
    expect(server.lists).toHaveLength(2);
  });

  it('goes on at once after a watch that lived and ended well, and slowly after one that ended at once', async () => {
    const clock = new FakeClock();
    const responses: ServerResponse[] = [];
    const { server, run, reports } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response) => {
        open(response);
        responses.push(response);
      },
      { clock },
    );
    void run();
    for (let round = 1; round <= 5; round += 1) {
      await eventually(`watch ${round}`, () => responses.length === round);
      await settle();
      await clock.advance(2_000); // it lived
      responses[round - 1]?.end();
    }
    await eventually('the sixth watch', () => server.watches.length === 6);
    expect(failures(reports)).toBe(0);
    responses[5]?.end(); // it did not
    await eventually('a failure', () => failures(reports) === 1);
  });

  it('takes silence for a dead connection and hears of what it missed', async () => {
    const { store, run } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response, nth) => {
        open(response);
        if (nth > 1) tell(response, 'ADDED', aConfigMap('missed', '101'));
      },
      { clock: shortened(), idleMs: 100 },
    );
    void run();
    await eventually('the missed object', () => store.size === 1);
  });

  it('lists a quiet kind again now and then, though its watch only ever ends by silence', async () => {
    const clock = new FakeClock();
    const { server, run } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response) => open(response),
      { clock, idleMs: 10 },
    );
    void run();
    for (let minute = 0; minute < 15; minute += 1) {
      await passing(clock, 'the next watch', () => server.watches.length > minute);
      await clock.advance(60_000);
    }
    await eventually('a second list', () => server.lists.length >= 2);
  });

  it('reads a list page by page, once more when it expires on the way, and keeps no managed fields', async () => {
    const pages = (token: string | null) =>
      token === null
        ? { metadata: { resourceVersion: '100', continue: 'two' }, items: [aConfigMap('a', '1')] }
        : token === 'two'
          ? { metadata: { resourceVersion: '100', continue: 'three' }, items: [aConfigMap('b', '2')] }
          : { metadata: { resourceVersion: '100' }, items: [aConfigMap('c', '3')] };
    const { store, server, run, reflector } = await reflecting(
      (call, response, nth) => (nth === 3 ? refuse(response, 410, 'Expired') : json(response, 200, pages(call.query.get('continue')))),
      (_, response) => open(response),
    );
    void run();
    await eventually('it is synced', () => reflector.synced);
    expect([...store.all()].map((object) => object.name)).toEqual(['a', 'b', 'c']);
    expect(server.lists.map((call) => call.query.get('continue'))).toEqual([null, 'two', 'three', null, 'two', 'three']);
    expect(server.lists.every((call) => call.query.get('limit') === '100' && call.query.get('labelSelector') === 'a=b')).toBe(true);
  });

  it('is not slow after an outage because of the many failures in it', async () => {
    const clock = new FakeClock();
    let away = true;
    const { server, run, store } = await reflecting(
      (_, response, nth) => json(response, 200, nth === 1 ? listOf() : listOf(aConfigMap('a', '200'))),
      (_, response) => {
        if (server.watches.length === 1) return void response.socket?.resetAndDestroy();
        if (away) return refuse(response, 503, 'ServiceUnavailable');
        if (server.lists.length === 1) return refuse(response, 410, 'Expired');
        open(response);
      },
      { clock },
    );
    void run();
    for (let second = 0; second < 120; second += 1) {
      await clock.advance(1_000);
      await settle();
    }
    away = false;
    const calls = server.watches.length;
    for (let second = 0; second < 60 && server.watches.length === calls; second += 1) {
      await clock.advance(1_000);
      for (let turn = 0; turn < 5; turn += 1) await settle();
    }
    await clock.advance(1_000);
    await eventually('it has listed', () => store.size === 1);
  });

  it('lists again when the server comes back with an older memory, and only then', async () => {
    const { server, store, run } = await reflecting(
      (_, response) => json(response, 200, listOf(aConfigMap('a', '90'), aConfigMap('later', '99'))),
      (_, response) => open(response),
      { clock: shortened() },
    );
    void run();
    const port = Number(server.url.port);
    const comeBack = async (before: FakeApiServer, resourceVersion: string): Promise<FakeApiServer> => {
      await eventually('it watches', () => before.watches.length > 0);
      await before.stop();
      const after = await FakeApiServer.start((call, response) => {
        if (call.query.get('watch') !== null) return open(response);
        return json(response, 200, { metadata: { resourceVersion }, items: [aConfigMap('a', '40')] });
      }, port);
      stopAfterwards(after);
      await eventually('it watches again', () => after.watches.length > 0);
      return after;
    };
    const second = await comeBack(server, '120');
    expect(second.lists).toHaveLength(0);
    expect(second.watches[0]?.query.get('resourceVersion')).toBe('100');
    const third = await comeBack(second, '50');
    expect(third.lists).toHaveLength(1);
    expect(third.watches[0]?.query.get('resourceVersion')).toBe('50');
    expect([...store.all()].map((object) => object.name)).toEqual(['a']);
  });

  it('asks seldom where it is not allowed or the kind is not there, and says so', async () => {
    const clock = new FakeClock();
    const { server, run, reports } = await reflecting(
      (_, response) => refuse(response, 403, 'Forbidden'),
      () => undefined,
      { clock },
    );
    void run();
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000);
      await settle();
    }
    expect(server.lists.length).toBeLessThanOrEqual(9); // a few soon, for a server that has just been started, and then one in 15 s
    expect(reports[0]).toMatchObject({ kind: 'failed', error: { status: 403 } });
  });

  it('ends quietly: no report, no further call, whatever it was doing', async () => {
    const clock = new FakeClock();
    for (const moment of ['listing', 'watching', 'backing off']) {
      const { server, reports, controller, reflector } = await reflecting(
        (_, response) =>
          moment === 'listing' ? undefined : moment === 'watching' ? json(response, 200, listOf()) : refuse(response, 500, 'InternalError'),
        (_, response) => open(response),
        { clock },
      );
      const running = reflector.run(controller.signal);
      await eventually(moment, () => (moment === 'watching' ? server.watches.length === 1 : server.lists.length === 1));
      if (moment === 'backing off') await eventually('the failure', () => failures(reports) === 1);
      const [calls, told] = [server.calls.length, reports.length];
      controller.abort();
      await running;
      await clock.advance(60_000);
      expect([server.calls.length, reports.length], moment).toEqual([calls, told]);
    }
  });

  it('runs once only', async () => {
    const { run, reflector, controller } = await reflecting(
      (_, response) => json(response, 200, listOf()),
      (_, response) => open(response),
    );
    void run();
    await expect(reflector.run(controller.signal)).rejects.toThrow('once');
  });
});
