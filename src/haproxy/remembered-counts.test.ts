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

/** @param eachMs how long HAProxy takes for one count */
async function counting(answer: (id: number) => string | null, eachMs = 0) {
  const [clock, events] = [new FakeClock(), [] as ProxyEvent[]];
  fake = await FakeHaproxySocket.listen((request, socket) => {
    const ids = [...request.matchAll(/eq (\d+)/g)].map((match) => Number(match[1]));
    const answers = ids.map(answer);
    if (answers.includes(null)) return;
    void clock.advance(eachMs * ids.length).then(() => socket.end(`\n> ${answers.map((text) => `${text}\n\n> `).join('')}`));
  });
  const counts = new RememberedCounts({ socket: fake.path, clock, report: (event) => void events.push(event) });
  return { clock, counts, events };
}

const IDS = Array.from({ length: 20 }, (_, index) => index + 1);

const table = (clients: number): string =>
  ['# table: servers', ...Array.from({ length: clients }, () => '0x1: key=::1 server_id=1')].join('\n');

describe('RememberedCounts', () => {
  it('counts so many servers per look as there is time for, each in its turn', async () => {
    const { counts } = await counting((id) => table(id), 10);
    expect([...(await counts.read(IDS))]).toEqual(IDS.slice(0, 16).map((id) => [id, id]));
    for (let look = 0; look < 3; look += 1) await counts.read(IDS);
    expect(asked().slice(1)).toEqual([
      [17, 18, 19, 20],
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
  });

  it('counts all of them at each look where that is quick', async () => {
    const { counts } = await counting(() => table(0));
    await counts.read(IDS);
    await counts.read(IDS);
    expect(asked()[1]).toHaveLength(20);
  });

  it('looks first at servers whose clients were forgotten a moment ago', async () => {
    const { clock, counts } = await counting(() => table(0), 10);
    await counts.read(IDS);
    counts.forgotten([2]);
    await counts.read(IDS);
    await clock.advance(200);
    await counts.read(IDS);
    expect(asked().slice(1)).toEqual([
      [2, 17, 18, 19],
      [20, 1, 3, 4],
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
