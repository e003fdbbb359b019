import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../runtime/clock.ts';
import { PatientStream } from './patient-stream.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ccp-stream-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('PatientStream', () => {
  it('writes what it is given, in its order', async () => {
    const fd = openSync(join(folder, 'out'), 'w');
    const stream = new PatientStream(fd, systemClock);
    for (let line = 0; line < 100; line += 1) stream.write(`${line}\n`);
    await new Promise<void>((resolve) => stream.end(resolve));
    closeSync(fd);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(Array.from({ length: 100 }, (_, line) => `${line}\n`).join(''));
    expect([stream.isTTY, stream.columns]).toEqual([false, 80]);
  });

  it('holds nothing up while nothing reads, keeps a little, and goes on when something does', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const stream = new PatientStream(writer, systemClock);
    const begun = performance.now();
    for (let line = 0; line < 1_000; line += 1) stream.write('x'.repeat(10_000));
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(stream.writableLength).toBeLessThan(300_000);
    let read = 0;
    await until('everything that was kept is read', async () => {
      try {
        read += readSync(reader, Buffer.alloc(65_536));
      } catch {
        // Nothing is there yet.
      }
      return stream.writableLength === 0;
    });
    expect(read).toBeGreaterThan(200_000);
    stream.write('more');
    await until('it goes on', () => stream.writableLength === 0);
    for (const fd of [reader, writer]) closeSync(fd);
  });

  it('lets go of what is not read at the end', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, 'w'); // blocks, as a shell gives it
    const stream = new PatientStream(writer, systemClock);
    stream.write('x'.repeat(200_000));
    const begun = performance.now();
    await stream.finish();
    expect(performance.now() - begun).toBeLessThan(2_000);
    await until('nothing is kept', () => stream.writableLength === 0, 2_000);
    for (const fd of [reader, writer]) closeSync(fd);
  });

  it('waits for a slow reader at the end where that is asked for', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stream = new PatientStream(openSync(path, 'w'), systemClock);
    stream.write('x'.repeat(200_000));
    const finished = stream.finish(new AbortController().signal);
    let read = 0;
    await systemClock.sleep(1_000); // longer than it waits for nobody
    const reading = until('all is read', () => {
      try {
        read += readSync(reader, Buffer.alloc(65_536));
      } catch {
        // Nothing is there yet.
      }
      return read === 200_000;
    });
    await Promise.all([finished, reading]);
    closeSync(reader);
  });

  it('lets a process end whose output is a socket that is not read, as the journal of the machine may be', async () => {
    const [module, clock] = ['patient-stream.ts', '../runtime/clock.ts'].map((file) => new URL(file, import.meta.url).href);
    const script = `import { PatientStream } from '${module}'; import { systemClock } from '${clock}';
      const stream = new PatientStream(1, systemClock);
      for (let line = 0; line < 100; line += 1) stream.write('x'.repeat(10_000));
      await stream.finish();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const begun = performance.now();
    await once(child, 'exit'); // its pipe is a socket, and nothing reads it
    expect(performance.now() - begun).toBeLessThan(10_000);
    child.stdout.destroy();
  });

  it('goes on after an error, such as of a pipe that was closed', async () => {
    const stream = new PatientStream(openSync('/dev/full', 'w'), systemClock);
    stream.write('lost');
    await until('it was tried', () => stream.writableLength === 0);
    expect([stream.destroyed, stream.errored]).toEqual([false, null]);
  });
});
