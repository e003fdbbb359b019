import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('servers that do not serve, on HAProxy $version', (binary) => {
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
      expect(box.events('GreetingReceived', 1)).toEqual([]);
      await until('the program says so', () => box.events('GreetingMissing', 1).length === 1);
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

  it('a server that is added hung to a running pool is never sent a session', async () => {
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
    expect(box.events('ServerDown')).toEqual([]);
  });

  it('a server that hangs is out soon where clients come, and its sessions are served elsewhere, judged by their traffic', async () => {
    box = await TestBox.create(binary, 3);
    await box.save({ backends: box.backends(), balance: { stickiness: { mode: 'None' } } });
    await box.start();
    const clients = await box.heldSessions(60, { requestEveryMs: 500 });
    expect(box.server(1).sessions).toBeGreaterThan(10);
    await throughout('its traffic is learned, and nobody is cut', 15_000, () => clients.every((client) => client.lost === 0));
    box.server(1).mode = 'hung';
    const newcomers = box.clients(10); // clients keep coming; without a time limit of their own
    await until(
      'everybody is served elsewhere',
      () => [...clients, ...newcomers].every((client) => client.servedBy !== null && client.servedBy !== 's1'),
      10_000,
      () => [box.status, box.news],
    );
    await until('it is called hung', () => box.events('ServerHung', 1).length === 1);
    const closed = clients.reduce((sum, client) => sum + client.lost, 0);
    expect(box.events('SessionsClosed', 1).map(({ message }) => Number(/closed (\d+)/.exec(message)?.[1]))).toEqual([
      expect.toSatisfy((count: number) => count >= closed && count <= closed + 10),
    ]);
    expect(await box.metric('cccam_sessions_closed_total{reason="hung"}')).not.toEqual(['cccam_sessions_closed_total{reason="hung"} 0']);
    box.server(1).mode = 'normal';
    await until(
      'it returns by its greeting',
      () => box.serverStatus(1)?.state === 'Up',
      30_000,
      () => box.status,
    );
  });

  it('a server that hangs without any traffic is out within the time of its checks, and empty once keepalives were due', async () => {
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
    expect(await box.whoServes()).toBe('s2');
    await throughout('nobody is cut on that evidence alone', 30_000, () => clients.every((client) => client.lost === 0));
    await until('its clients are served elsewhere', () => clients.every((client) => client.servedBy === 's2'), 45_000);
  });

  it('the clients of a hung server that came before the last reload are freed, too', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(40, { requestEveryMs: 1_000 });
    await box.save({ backends: box.backends(), timeouts: { idle: '45m' } });
    await until('HAProxy was reloaded', () => box.events('Reloaded').length === 1, 30_000);
    box.server(1).mode = 'hung';
    await until(
      'they are served elsewhere',
      () => clients.every((client) => client.servedBy === 's2'),
      45_000,
      () => [box.status, box.news],
    );
    expect(clients.filter((client) => client.lost > 0)).toHaveLength(20);
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

  it('sessions of a server that bans us stay, it gets no new session and few checks, and comes back when the ban is over', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends(), health: { interval: '1s', fastInterval: '500ms' } });
    await box.start();
    const clients = await box.heldSessions(20);
    const held = box.server(1).sessions;
    const checked = box.server(1).accepted;
    await until('it was checked with these sessions', () => box.server(1).accepted > checked + 1);
    box.server(1).mode = 'banning';
    await until(
      'it is said to refuse the proxy',
      () => box.serverStatus(1)?.state === 'RefusesProxy',
      15_000,
      () => box.status,
    );
    expect(box.serverStatus(1)?.message).toMatch(/refuses this proxy[\s\S]*failban[\s\S]*Passive/);
    const before = box.server(1).accepted;
    await throughout('its sessions live on', 8_000, () => box.server(1).sessions === held && clients.every((client) => client.lost === 0));
    expect(box.server(1).accepted - before).toBeLessThanOrEqual(3); // after 1, 2 and 4 s
    expect(await box.whoServes()).toBe('s2');
    box.server(1).mode = 'normal';
    await until(
      'it is back',
      () => box.serverStatus(1)?.state === 'Up',
      20_000,
      () => box.status,
    );
  });

  it('a server that is not to be checked is not, and what clients meet decides', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({
      backends: [box.backend(1, { health: { mode: 'Passive' } }), box.backend(2)],
      balance: { algorithm: 'RoundRobin', stickiness: { mode: 'None' } },
      health: { interval: '1s' },
    });
    await box.start();
    await box.heldSessions(10);
    await until('the other one is checked', () => box.server(2).accepted > 10);
    expect(box.server(1).accepted).toBe(box.server(1).sessions);
    box.server(1).mode = 'banning';
    const more = box.clients(20);
    await until(
      'it rests',
      () => box.serverStatus(1)?.state === 'Down',
      10_000,
      () => [box.status, box.news],
    );
    await until('everybody is served by the other one', () => more.every((client) => client.servedBy !== null));
    box.server(1).mode = 'normal';
    await until(
      'clients try it again',
      async () => (await box.whoServes()) === 's1',
      20_000,
      () => box.status,
    );
  });

  it.each(['close', 'silent'] as const)(
    'servers at their own limit (%s) keep their sessions, are called full, and take who comes when one leaves',
    async (full) => {
      box = await TestBox.create(binary, 3);
      for (const server of box.servers) server.limit = { sessions: 10, full };
      await box.save({ backends: box.backends(), balance: { stickiness: { mode: 'None' } } });
      await box.start();
      const clients = await box.heldSessions(25, { requestEveryMs: 500 });
      const more = box.clients(10, { requestEveryMs: 500, patienceMs: 4_000 });
      const served = (): number => [...clients, ...more].filter((client) => client.servedBy !== null).length;
      await until(
        'every place is taken',
        () => served() === 30,
        15_000,
        () => [served(), box.status],
      );
      await until(
        'all three are called full',
        () => [1, 2, 3].every((index) => box.serverStatus(index)?.state === 'Full'),
        15_000,
        () => box.status,
      );
      await throughout('nobody is cut', 5_000, () => served() === 30 && [...clients, ...more].every((client) => client.lost === 0));
      expect(box.condition('Ready')).toBe('True');
      for (const client of clients.slice(0, 5)) client.reconnect();
      await until(
        'the places are taken again',
        () => served() === 30,
        15_000,
        () => [served(), box.status],
      );
      expect(box.events('SessionsClosed')).toEqual([]);
    },
  );

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
