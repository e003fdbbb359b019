import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('draining a server on HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  const draining = (deadline = '10m'): Record<string, unknown> => ({
    backends: [box.backend(1, { drain: { enabled: true, deadline } }), box.backend(2)],
  });

  it('sends no new session there within 150 ms of the save, sticky clients included, keeps the sessions that are there, and can be undone', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(40);
    const sticky = clients.map((_, index) => index).filter((index) => clients[index]?.servedBy === 's1');
    expect(sticky.length).toBeGreaterThan(5);
    const first = 0x7f_64_00_01;

    await box.save(draining());
    const saved = performance.now();
    await until(
      'HAProxy drains it',
      async () =>
        (await box.commands('show servers state servers'))[0]?.includes(`${box.nameOf(1)} ${box.server(1).host} 2 `) !== undefined &&
        (await adminState(box, 1)) === 'drain',
    );
    expect(performance.now() - saved).toBeLessThan(150);
    const before = box.server(1).sessions;
    for (const index of sticky) expect(await box.whoServes(3_000, first + index)).toBe('s2');
    expect(box.server(1).sessions).toBe(before);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    await until(
      'it is shown to drain',
      () => box.serverStatus(1)?.state === 'Draining',
      5_000,
      () => box.status,
    );
    await until(
      'they are counted',
      async () => (await box.countedSessions(1)) === before,
      5_000,
      () => box.status,
    );
    expect(box.serverStatus(1)?.deadline).toBeDefined();

    await box.save({ backends: box.backends() });
    await until('it is in rotation again', () => box.serverStatus(1)?.state === 'Up');
    await until('it takes new sessions', async () => (await box.whoServes()) === 's1');
    expect(clients.every((client) => client.lost === 0)).toBe(true);
  });

  it('counts the sessions of both workers after a reload, and is drained only when both are empty', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: [box.backend(1)] });
    await box.start();
    const old = await box.heldSessions(6);
    await box.save({ backends: [box.backend(1)], timeouts: { idle: '20m' } });
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    const fresh = await box.heldSessions(4);
    await box.save({ ...draining(), timeouts: { idle: '20m' } });
    await until(
      'it drains',
      () => box.serverStatus(1)?.state === 'Draining',
      5_000,
      () => box.status,
    );
    await until(
      'both workers are counted',
      async () => (await box.countedSessions(1)) === 10,
      5_000,
      () => box.status,
    );
    for (const client of fresh) client.reconnect();
    await until(
      'only the old worker holds some',
      async () => (await box.countedSessions(1)) === 6,
      5_000,
      () => box.status,
    );
    await throughout('it is not called drained', 600, () => box.serverStatus(1)?.state === 'Draining');
    for (const client of old) client.reconnect();
    await until(
      'it is drained',
      () => box.serverStatus(1)?.state === 'Drained',
      5_000,
      () => box.status,
    );
    await until('all are served elsewhere', () => box.server(2).sessions === 10);
  });

  it('closes the remaining sessions at the deadline, over both workers, at the set pace', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: [box.backend(1)] });
    await box.start();
    await box.heldSessions(20);
    await box.save({ backends: [box.backend(1)], timeouts: { idle: '20m' } });
    await until(
      'HAProxy was reloaded',
      () => box.events('Reloaded').length === 1,
      30_000,
      () => box.news,
    );
    await box.heldSessions(20);
    await box.save({ ...draining('1s'), timeouts: { idle: '20m' }, drain: { closePerSecond: 10 } });
    await until(
      'closing has begun',
      () => box.server(1).sessions < 40,
      10_000,
      () => box.news,
    );
    const begun = performance.now();
    await until(
      'nobody is left',
      () => box.server(1).sessions === 0,
      15_000,
      () => box.status,
    );
    const took = performance.now() - begun;
    expect(took).toBeGreaterThan(2_800);
    expect(took).toBeLessThan(8_000);
    await until('it is drained', () => box.serverStatus(1)?.state === 'Drained');
    await until('all are served elsewhere', () => box.server(2).sessions === 40);
    expect(box.events('ClosingSessions', 1)).toHaveLength(1);
  });

  it('keeps the remaining sessions past the deadline where the pool says so', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    await box.heldSessions(20);
    const held = box.server(1).sessions;
    await box.save({ ...draining('1s'), drain: { onDeadline: 'Keep' } });
    await until('it drains', () => box.serverStatus(1)?.state === 'Draining');
    await throughout('nobody is closed', 2_500, () => box.server(1).sessions === held);
  });

  it('keeps the clock over kill -9 of the program', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    await box.heldSessions(20);
    await box.save(draining());
    await until('it drains', () => box.serverStatus(1)?.state === 'Draining');
    const { since, deadline } = box.serverStatus(1) ?? {};
    // Nothing waits for the disk: a drain that is not on it yet begins again.
    await until('it is on disk', async () => (await readFile(join(box.stateDir, 'state.json'), 'utf8')).includes('"kind":"draining"'));
    await box.killProgram();
    await box.start();
    await until('it still drains', () => box.serverStatus(1)?.state === 'Draining');
    expect(box.serverStatus(1)).toMatchObject({ since, deadline });
  });

  it('drains a server that is taken out of the file up to the deadline, then lets it go', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(20);
    await box.save({ backends: box.backends(2), drain: { deadline: '2s', closePerSecond: 50 } });
    await until('it drains', () => box.serverStatus(1)?.state === 'Draining');
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    await until(
      'it is gone',
      () => box.serverStatus(1) === undefined,
      10_000,
      () => box.status,
    );
    await until('HAProxy has let it go', async () => !(await box.commands('show servers state servers'))[0]?.includes(box.nameOf(1)));
    await until('all are served by the other', () => box.server(2).sessions === 20);
  });
});

async function adminState(box: TestBox, index: number): Promise<string> {
  const [states = ''] = await box.commands('show servers state servers');
  const bits = Number(
    states
      .split('\n')
      .find((line) => line.includes(` ${box.nameOf(index)} `))
      ?.split(' ')[6] ?? 0,
  );
  return (bits & 0x08) !== 0 ? 'drain' : (bits & 0x01) !== 0 ? 'maint' : 'ready';
}
