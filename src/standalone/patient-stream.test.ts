import { execFileSync } from 'node:child_process';
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

  it('goes on after an error, such as of a pipe that was closed', async () => {
    const stream = new PatientStream(openSync('/dev/full', 'w'), systemClock);
    stream.write('lost');
    await until('it was tried', () => stream.writableLength === 0);
    expect([stream.destroyed, stream.errored]).toEqual([false, null]);
  });
});
