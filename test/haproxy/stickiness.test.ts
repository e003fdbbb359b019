import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('what HAProxy $version remembers of clients', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  const remembered = async (): Promise<number> =>
    Number(/^# table: servers, .*used:(\d+)/m.exec((await box.commands('show table servers'))[0] ?? '')?.[1] ?? -1);

  it('counts its time from when a client is gone, however long its session was', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends(), balance: { stickiness: { ttl: '4s' } } });
    await box.start();
    const [client] = await box.heldSessions(1);
    const server = client?.servedBy;
    const begun = performance.now();
    await until('it has been there for more than twice that time', () => performance.now() - begun > 9_000);
    expect(await remembered()).toBe(1);
    client?.reconnect();
    await until('it comes back to the same server', () => client?.servedBy === server);
    await box.endClients();
    await until('it is forgotten some seconds after it left', async () => (await remembered()) === 0, 10_000);
  });

  it('is forgotten for a Backup as soon as an Active server serves', async () => {
    box = await TestBox.create(binary, 2);
    await box.server(1).kill();
    await box.save({ backends: [box.backend(1), box.backend(2, { role: 'Backup' })], health: { interval: '1s' } });
    await box.start(false);
    const clients = await box.heldSessions(20);
    expect(clients.every((client) => client.servedBy === 's2')).toBe(true);
    await box.server(1).listen();
    await until(
      'the Active one is up',
      () => box.serverStatus(1)?.state === 'Up',
      20_000,
      () => box.status,
    );
    await until(
      'nobody is remembered for the Backup',
      async () => !(await box.commands('show table servers'))[0]?.includes('server_id=2 '),
      5_000,
    );
    expect(clients.every((client) => client.lost === 0 && client.servedBy === 's2')).toBe(true);
    for (const client of clients) client.reconnect();
    await until(
      'all come to the Active one',
      () => clients.every((client) => client.servedBy === 's1'),
      10_000,
      () => clients.map((client) => client.servedBy),
    );
  });

  it('begins with a drain under way without a refused command', async () => {
    box = await TestBox.create(binary, 2);
    const drained = [box.backend(1, { drain: { enabled: true } }), box.backend(2)];
    await box.save({ backends: box.backends(), balance: { stickiness: { mode: 'None' } } });
    await box.start();
    await box.heldSessions(10);
    await box.save({ backends: drained, balance: { stickiness: { mode: 'None' } } });
    await until('it drains', () => box.serverStatus(1)?.state === 'Draining');
    await box.save({ backends: drained });
    await until('HAProxy was reloaded', () => box.events('Reloaded').length === 1, 30_000);
    expect(box.events('CommandRefused')).toEqual([]);
  });
});
