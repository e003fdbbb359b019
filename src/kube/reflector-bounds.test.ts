import { afterEach, describe, expect, it } from 'vitest';
import { aConfigMap, eventually, json, tell } from '../../test/fakes/api-server.ts';
import { FakeClock } from '../../test/fakes/clock.ts';
import { endReflectors, listOf, open, passing, reflecting } from '../../test/fakes/reflecting.ts';

afterEach(endReflectors);

describe('Reflector, when what it gets is too much', () => {
  it('reads a page that is too large again with half as many objects, and tries larger ones after it', async () => {
    const objects = Array.from({ length: 7 }, (_, index) => ({ ...aConfigMap(`m${index}`, '1'), data: { text: 'x'.repeat(700_000) } }));
    const limits: number[] = [];
    const { run, server, store } = await reflecting(
      () => undefined,
      (_, response) => open(response),
    );
    server.answer = (call, response) => {
      if (call.query.get('watch') !== null) return open(response);
      const [limit, from] = [Number(call.query.get('limit')), Number(call.query.get('continue') ?? 0)];
      limits.push(limit);
      const more = from + limit < objects.length ? { continue: String(from + limit) } : {};
      json(response, 200, { metadata: { resourceVersion: '100', ...more }, items: objects.slice(from, from + limit) });
    };
    void run();
    await eventually('every object is there', () => store.size === 7);
    expect(limits).toEqual([100, 50, 25, 13, 7, 4, 2, 4, 2, 4, 2, 4]);
  });

  it('knows for how long it could not take in what it gets', async () => {
    const clock = new FakeClock();
    let broken = true;
    const { reflector, run } = await reflecting(
      (_, response) => json(response, 200, listOf(aConfigMap('a', '1'))),
      (_, response) => {
        open(response);
        tell(response, 'BOOKMARK', { metadata: { resourceVersion: '555' } });
      },
      {
        clock,
        project: (object) => {
          if (broken) throw new RangeError('Maximum call stack size exceeded');
          return { name: object.metadata.name, namespace: 'ns', uid: '', resourceVersion: '1', fields: 0 };
        },
      },
    );
    void run();
    await passing(clock, 'it is stuck for long', () => reflector.stuckMs > 20_000);
    broken = false;
    await passing(clock, 'it is not stuck any more', () => reflector.synced && reflector.stuckMs === 0);
  });
});
