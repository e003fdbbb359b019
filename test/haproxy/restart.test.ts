import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BINARIES, NEWEST } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe.each(BINARIES)('the end of the program on HAProxy $version', (binary) => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it('by kill -9 leaves HAProxy serving, and the next start adopts it without losing a session', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(50);
    const before = await box.processes();
    await box.killProgram();
    expect(await box.whoServes()).not.toBeNull();
    await box.save({ backends: [box.backend(1, { weight: 5 }), box.backend(2)] });
    await box.start();
    expect(box.events('HaproxyAdopted')).toHaveLength(1);
    expect(await box.processes()).toEqual(before);
    await until('what has changed meanwhile is in force', async () =>
      / 2 [04] 5 /.test((await box.commands('show servers state servers'))[0] ?? ''),
    );
    expect(clients.every((client) => client.lost === 0)).toBe(true);
  });

  it('by SIGTERM ends HAProxy softly: sessions live on until they end by themselves', async () => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(10, { retryMs: 60_000 });
    box.terminate();
    await until('it says so', () => box.events('Stopping').length > 0);
    await until('nobody new gets in', async () => (await box.whoServes(300)) === null);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    for (const client of clients) client.reconnect();
    expect(await box.exited()).toBe(0);
  });

  it('by a second SIGTERM is at once, and by its deadline even without one', async () => {
    box = await TestBox.create(binary, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    await box.heldSessions(5, { retryMs: 60_000 });
    box.terminate();
    await until('it says so', () => box.events('Stopping').length > 0);
    box.terminate();
    expect(await box.exited()).toBe(0);
    await box.start(true, { args: ['--grace', '1s'] });
    const clients = await box.heldSessions(5, { retryMs: 60_000 });
    box.terminate();
    expect(await box.exited()).toBe(0);
    await until('they are cut', () => clients.every((client) => client.lost === 1));
  });
});

describe('a start beside another HAProxy', () => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it.each(BINARIES)('takes back that a HAProxy $version was told to end, with the sessions that it has left', async (binary) => {
    box = await TestBox.create(binary, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(20, { retryMs: 60_000 });
    const { masterPid } = await box.processes();
    box.terminate();
    await until('new clients are refused', async () => (await box.whoServes(300)) === null);
    await box.killProgram();
    await box.start();
    expect(box.events('HaproxyAdopted')).toHaveLength(1);
    expect(await box.processes()).toMatchObject({ masterPid, reloads: 1 });
    expect(await box.whoServes()).not.toBeNull();
    await until('the sessions are counted', async () => (await box.countedSessions(1)) + (await box.countedSessions(2)) >= 20);
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    box.terminate();
    await until('it says how many go on', () => /no new sessions; 2[0-9] may continue/.test(box.events('Stopping').at(-1)?.message ?? ''));
  });

  it('refuses a port that another HAProxy has, which would share it without a word', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    const other = await TestBox.create(NEWEST, 1, box.port);
    try {
      await other.save({ backends: other.backends() });
      await expect(other.runOnce()).rejects.toThrow(/CCP_PORT_UNUSABLE/);
    } finally {
      await other.dispose();
    }
  });

  it('ends when its port is taken, though it listens for observations already', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    const other = await TestBox.create(NEWEST, 1, box.port);
    try {
      await other.save({ backends: other.backends() });
      await other.start(false);
      expect(await other.exited()).toBe(1);
    } finally {
      await other.dispose();
    }
  });

  it('serves though its own port for observations is taken, says so, and listens when it is free', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    const other = await TestBox.create(NEWEST, 1);
    try {
      await other.save({ backends: other.backends() });
      await other.start(true, { args: ['--http-port', new URL(box.http).port] });
      expect([other.events('NotListening').length, other.http]).toEqual([1, '']);
      expect(await other.whoServes()).toBe('s1');
      await box.killProgram();
      await until('it listens', async () => other.http !== '' && (await fetch(`${other.http}/readyz`)).ok, 20_000);
    } finally {
      await other.dispose();
    }
  }, 60_000);

  it('keeps serving when nothing reads its output', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start(false, { stdout: '/dev/full' });
    await until('it serves', async () => (await box.whoServes(300)) === 's1', 10_000);
    await box.save({ backends: [box.backend(1, { weight: 77 })] });
    await until('it follows the file', async () => / 2 [04] 77 /.test((await box.commands('show servers state servers'))[0] ?? ''));
    expect(box.hasExited).toBe(false);
  });
});

describe('two programs', () => {
  it('cannot work with the same state folder', async () => {
    const box = await TestBox.create(NEWEST, 1);
    try {
      await box.save({ backends: box.backends() });
      await box.start();
      await expect(box.runOnce()).rejects.toThrow(/CCP_STATE_IN_USE/);
    } finally {
      await box.dispose();
    }
  });
});

describe('kill -9 after any command of a scale-and-drain sequence', () => {
  it('ends in the same state as no kill at all, with no session lost', { timeout: 240_000 }, async () => {
    const finals: string[] = [];
    for (let k = 1; k <= 40; k += 1) {
      const { died, final } = await sequence(k);
      finals.push(final);
      if (!died) break; // the sequence has fewer commands than that: this run is the one without a kill
      expect(k).toBeLessThan(40);
    }
    expect(finals.length).toBeGreaterThan(8);
    expect(new Set(finals).size, [...new Set(finals)].join('\n\n')).toBe(1);
  });
});

/** Adds a server, drains one and takes one out, with a program that dies after `k` commands; then starts it again. */
async function sequence(k: number): Promise<{ died: boolean; final: string }> {
  const box = await TestBox.create(NEWEST, 4);
  try {
    await box.save({ backends: box.backends(1, 2, 3) });
    await box.start();
    const clients = await box.heldSessions(12);
    await box.killProgram();
    await box.save({ backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2, { weight: 33 }), box.backend(4)] });
    await box.start(false, { preload: './test/fakes/crash-after.ts', env: { CRASH_AFTER: String(k) } });
    const done = (): boolean => box.condition('ProxiesSynced') === 'True' && box.serverStatus(4)?.state === 'Up';
    await until(
      'it has died or done all',
      () => box.hasExited || done(),
      10_000,
      () => [box.status, box.news],
    );
    const died = box.hasExited;
    if (died) await box.start(false);
    await until(
      'all is done',
      () => done() && box.serverStatus(3)?.state === 'Draining',
      10_000,
      () => [k, box.status, box.news],
    );
    await until('the roster is on disk', async () => (await rosterText(box)).includes('removed'));
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    return { died, final: normalise(`${(await box.commands('show servers state servers'))[0]}\n${await rosterText(box)}`, box) };
  } finally {
    await box.dispose();
  }
}

async function rosterText(box: TestBox): Promise<string> {
  return await readFile(join(box.stateDir, 'state.json'), 'utf8');
}

/** The end state without what differs from run to run: addresses, times and what the checks have seen so far. */
function normalise(text: string, box: TestBox): string {
  let plain = text;
  for (const server of box.servers) plain = plain.replaceAll(server.host, server.label);
  return plain
    .replace(/"since":\d+/g, '"since":0')
    .replace(/"clock":\{[^}]*\}/, '"clock":{}')
    .split('\n')
    .map((line) =>
      line.includes(' servers ')
        ? line
            .split(' ')
            .slice(0, 8)
            .join(' ')
            .replace(/ 4 (\d+)$/, ' 0 $1')
            .replace(/ 12 (\d+)$/, ' 8 $1')
        : line,
    )
    .filter((line) => !line.startsWith('#'))
    .sort()
    .join('\n');
}
