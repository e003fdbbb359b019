import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES } from './binaries.ts';
import { TestBox } from './box.ts';
import { throughout, until } from './until.ts';

describe.each(BINARIES)('servers that do not serve on HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it.each(['hung', 'banning', 'closing'] as const)(
    'a server that is %s from the start gets no client, from the first second on',
    async (mode) => {
      box = await TestBox.create(binary, 2);
      box.server(1).mode = mode;
      await box.save({ backends: box.backends() });
      await box.start(false);
      const clients = await box.heldSessions(30);
      await throughout('only the other one serves', 1_500, () => clients.every((client) => client.servedBy === 's2' && client.lost === 0));
      expect(clients.reduce((sum, client) => sum + client.attempts, 0)).toBeLessThan(30 * 40); // they waited for the start, and were never sent astray after it
      expect(box.serverStatus(1)?.state).not.toBe('Up');
      expect(box.events('Admitted', 1)).toEqual([]);
      await until('the program says so', () => box.events('NotAdmitted', 1).length === 1);
    },
  );

  it('a server on a dead port gets no client, and is admitted when it comes up', async () => {
    box = await TestBox.create(binary, 2);
    await box.server(1).kill();
    await box.save({ backends: box.backends() });
    await box.start(false);
    await box.heldSessions(20);
    expect(box.server(2).sessions).toBe(20);
    await box.server(1).listen();
    await until(
      'it is admitted',
      () => box.serverStatus(1)?.state === 'Up',
      20_000,
      () => [box.status, box.news],
    );
    await until('it serves', async () => (await box.whoServes()) === 's1');
  });

  it('a server that is added hung to a running pool is never sent anybody', async () => {
    box = await TestBox.create(binary, 2);
    box.server(2).mode = 'hung';
    await box.save({ backends: box.backends(1) });
    await box.start();
    await box.save({ backends: box.backends() });
    await until('HAProxy has it', () => box.serverStatus(2) !== undefined);
    const clients = await box.heldSessions(40);
    await throughout(
      'nobody is on it',
      2_500,
      () => box.serverStatus(2)?.sessions === 0 && clients.every((client) => client.servedBy === 's1'),
    );
  });

  it('a slow but honest server is admitted and stays', async () => {
    box = await TestBox.create(binary, 2);
    box.server(1).mode = 'slow';
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(30);
    expect(box.server(1).sessions).toBeGreaterThan(5);
    await throughout(
      'nobody is cut and it stays up',
      3_000,
      () => clients.every((client) => client.lost === 0) && box.serverStatus(1)?.state === 'Up',
    );
    expect(box.events('NotServing')).toEqual([]);
  });

  it('a server that hangs under traffic is out within 5 s, and its sessions are served elsewhere', async () => {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends(), balance: { stickiness: { mode: 'None' } } });
    await box.start();
    const clients = await box.heldSessions(60);
    expect(box.server(1).sessions).toBeGreaterThan(10);
    box.server(1).mode = 'hung';
    const hung = performance.now();
    const newcomers = box.clients(10); // clients keep coming; without a time limit of their own
    await until(
      'it is out of rotation',
      () => box.serverStatus(1)?.state === 'Down',
      10_000,
      () => [box.status, box.news],
    );
    expect(performance.now() - hung).toBeLessThan(5_500); // the bound is 5 s; the rest is how long a busy machine takes to tell us
    await until(
      'everybody is served elsewhere',
      () => [...clients, ...newcomers].every((client) => client.servedBy !== null && client.servedBy !== 's1'),
      5_000,
      () => box.status,
    );
    expect(box.events('NotServing', 1)).toHaveLength(1);
    box.server(1).mode = 'normal';
    await until(
      'it returns by HAProxy’s own checks',
      () => box.serverStatus(1)?.state === 'Up',
      30_000,
      () => box.status,
    );
  });

  it('a server that hangs without any traffic is out within the time of its checks', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends(), health: { interval: '2s', fastInterval: '500ms', timeout: '1s', fall: 2 } });
    await box.start();
    const clients = await box.heldSessions(20);
    box.server(1).mode = 'hung';
    await until(
      'it is out',
      () => box.serverStatus(1)?.state === 'Down',
      2_000 + 1_000 + 1_500 + 2_000,
      () => box.status,
    );
    await until('its clients are served elsewhere', () => clients.every((client) => client.servedBy === 's2'));
  });

  it('the clients of a killed server are served elsewhere at once, and only they lose anything', async () => {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(60);
    const theirs = clients.filter((client) => client.servedBy === 's1');
    await box.server(1).kill();
    const took = await until(
      'everybody is served',
      () => clients.every((client) => client.servedBy !== null && client.servedBy !== 's1'),
      5_000,
      () => box.status,
    );
    expect(took).toBeLessThan(3_000);
    expect(clients.filter((client) => !theirs.includes(client)).every((client) => client.lost === 0)).toBe(true);
    expect(theirs.every((client) => client.lost === 1)).toBe(true);
    await until(
      'it is down',
      () => box.serverStatus(1)?.state === 'Down',
      10_000,
      () => box.status,
    );
    await box.server(1).listen();
    await until(
      'it is back',
      () => box.serverStatus(1)?.state === 'Up',
      30_000,
      () => box.status,
    );
  });

  it('sessions of a server that bans us stay where the pool wants them kept', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends(), health: { interval: '1s', fastInterval: '500ms', onDown: 'KeepSessions' } });
    await box.start();
    const clients = await box.heldSessions(20);
    const held = box.server(1).sessions;
    box.server(1).mode = 'banning';
    await until(
      'it is down',
      () => box.serverStatus(1)?.state === 'Down',
      15_000,
      () => box.status,
    );
    await throughout('its sessions live on', 1_500, () => box.server(1).sessions === held && clients.every((client) => client.lost === 0));
    expect(await box.whoServes()).toBe('s2');
  });

  it('a Backup server serves only while no Active one is up', async () => {
    box = await TestBox.create(binary, 3);
    await box.save({
      backends: [box.backend(1), box.backend(2, { role: 'Backup' }), box.backend(3, { role: 'Backup' })],
      balance: { stickiness: { mode: 'None' } },
    });
    await box.start();
    await box.heldSessions(10);
    expect(box.server(1).sessions).toBe(10);
    await box.server(1).kill();
    await until(
      'the backups serve, both of them',
      () => box.server(2).sessions > 0 && box.server(3).sessions > 0 && box.sessions === 10,
      20_000,
      () => [box.status, box.sessions],
    );
    await until(
      'the status says so',
      () => box.status?.conditions.find((condition) => condition.type === 'Ready')?.reason === 'OnBackup',
      5_000,
      () => box.status,
    );
    await box.server(1).listen();
    await until(
      'the Active one takes new sessions again',
      async () => (await box.whoServes()) === 's1',
      30_000,
      () => box.status,
    );
  });
});
