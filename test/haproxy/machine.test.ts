import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { NEWEST } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { TestBox } from './box.ts';

const run = promisify(execFile);

/** Opens a connection and says how long it lasted until the other side closed it, in milliseconds. */
async function closedAfter(port: number, host = '127.0.0.1'): Promise<number> {
  const socket = connect({ port, host });
  const begun = performance.now();
  socket.resume();
  socket.on('error', () => undefined); // a reset is an end, too
  return await new Promise((resolve) => socket.once('close', () => resolve(performance.now() - begun)));
}

describe('a machine', () => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it('with both families of addresses is served on both, with the same limits', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends(), limits: { perClient: { connections: 1 } } });
    await box.start();
    const [four] = box.clients(1);
    const [six] = box.clients(1, { host: '::1', from: '::1' });
    await until('both are served', () => [four, six].every((client) => client?.servedBy === 's1'));
    expect(await closedAfter(box.port, '::1')).toBeLessThan(1_000);
    expect(await box.whoServes()).toBe('s1');
  });

  it('with 1 024 files says for how many sessions that is enough, and refuses the clients beyond it at once', {
    timeout: 60_000,
  }, async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends(), proxy: {} });
    await box.start(true, { through: ['prlimit', '--nofile=1024:1024'] });
    const [attention] = box.events('Attention');
    expect(attention?.message).toMatch(/^The limit of 1024 open files is enough for \d+ sessions, not for the default of 10000/);
    const room = Number(/enough for (\d+)/.exec(attention?.message ?? '')?.[1]);
    expect(box.condition('Attention')).toBe('True');
    await box.heldSessions(room);
    expect(await closedAfter(box.port)).toBeLessThan(1_000);
    expect(box.server(1).sessions).toBe(room);
  });

  it('whose pool file becomes a pipe that nothing writes to says so, keeps serving, and ends when it is told to', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    await run('rm', [box.poolFile]);
    await run('mkfifo', [box.poolFile]);
    await until('it is told', () => box.events('PoolUnreadable').some(({ message }) => message.includes('file')));
    expect(await box.whoServes()).toBe('s1');
    box.terminate();
    await until('the program has ended', () => box.hasExited);
  });

  it('whose editor saves a shorter file has it active at once: only an edit in place may be half of one', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    await box.save({ backends: box.backends(1) });
    const took = await until('it is in force', () => box.status?.backends.length === 1);
    expect(took).toBeLessThan(1_500);
  });
});
