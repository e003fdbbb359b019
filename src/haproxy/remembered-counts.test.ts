import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { FakeHaproxySocket } from '../../test/fakes/haproxy-socket.ts';
import type { ProxyEvent } from './event.ts';
import { RememberedCounts } from './remembered-counts.ts';

let fake: FakeHaproxySocket;
afterEach(async () => await fake.close());

/** Ids that each request has asked for. */
function asked(): number[][] {
  return fake.requests.map((request) => [...request.matchAll(/eq (\d+)/g)].map((match) => Number(match[1])));
}

async function counting(answer: (id: number) => string | null) {
  fake = await FakeHaproxySocket.listen((request, socket) => {
    const answers = [...request.matchAll(/eq (\d+)/g)].map((match) => answer(Number(match[1])));
    if (!answers.includes(null)) socket.end(`\n> ${answers.map((text) => `${text}\n\n> `).join('')}`);
  });
  const [clock, events] = [new FakeClock(), [] as ProxyEvent[]];
  const counts = new RememberedCounts({ socket: fake.path, clock, report: (event) => void events.push(event) });
  return { clock, counts, events };
}

const table = (clients: number): string =>
  ['# table: servers', ...Array.from({ length: clients }, () => '0x1: key=::1 server_id=1')].join('\n');

describe('RememberedCounts', () => {
  it('counts a few servers per look, each in its turn', async () => {
    const { clock, counts } = await counting((id) => table(id));
    expect([...(await counts.read([1, 2, 3, 4, 5, 6]))]).toEqual([1, 2, 3, 4].map((id) => [id, id]));
    await clock.advance(500);
    await counts.read([1, 2, 3, 4, 5, 6]);
    await clock.advance(500);
    await counts.read([1, 2, 3, 4, 5, 6]);
    expect(asked()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 1, 2],
      [3, 4, 1, 2],
    ]);
  });

  it('looks first at servers whose clients were forgotten a moment ago', async () => {
    const { clock, counts } = await counting(() => table(0));
    await counts.read([1, 2, 3, 4, 5, 6]);
    counts.forgotten([2]);
    await clock.advance(20);
    await counts.read([1, 2, 3, 4, 5, 6]);
    await clock.advance(200);
    await counts.read([1, 2, 3, 4, 5, 6]);
    expect(asked().slice(1)).toEqual([
      [2, 5, 6, 1],
      [3, 4, 1, 2],
    ]);
  });

  it('asks nothing where there is nothing to count', async () => {
    const { counts } = await counting(() => table(0));
    expect((await counts.read([])).size).toBe(0);
    expect(fake.requests).toEqual([]);
  });

  it('counts nothing from a table that takes too long, and says so once', async () => {
    const { counts, events } = await counting(() => null);
    expect((await counts.read([1])).size).toBe(0);
    expect((await counts.read([1])).size).toBe(0);
    expect(events.map(({ reason }) => reason)).toEqual(['TableUnread']);
  });
});
