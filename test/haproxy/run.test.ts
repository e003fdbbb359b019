import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { poolStatus } from '../../src/api/v1alpha1/status.ts';
import type { ObservationLine } from '../../src/wire/observation.ts';
import { poolObject } from '../fakes/pools.ts';
import { NEWEST } from '../support/binaries.ts';
import { throughout, until } from '../support/until.ts';
import { TestBox } from './box.ts';

describe('cccam-operator run', () => {
  let box: TestBox;
  afterEach(async () => await box.dispose());

  it('reports an invalid edit with line, field and reason, changes nothing, and goes on with the next good one', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const clients = await box.heldSessions(10);
    const before = (await box.commands('show servers state servers'))[0];
    await box.saveText(
      stringify(poolObject({ port: box.port, backends: [box.backend(1, { weight: 999 })], timeouts: { idle: '1s' } }, 'test')),
    );
    await until('both mistakes are reported', () => box.events('PoolRefused').length === 2);
    expect(box.events('PoolRefused').map((line) => [line.subject.replace(box.poolFile, 'pool.yaml'), line.message])).toEqual([
      ['pool.yaml:11 spec.backends[0].weight', 'expected a whole number from 0 to 256, found 999: correct it'],
      ['pool.yaml:14 spec.timeouts.idle', 'expected a duration from 60s to 168h, such as 60s, found the text "1s": correct it'],
    ]);
    await box.saveText('spec: [}');
    await until('a text that is no YAML is reported', () => box.events('PoolRefused').length === 3);
    await box.saveText(stringify(poolObject({ backends: box.backends() }, 'another')));
    await until('another pool is refused', () => box.events('PoolRefused').length === 4);
    expect((await box.commands('show servers state servers'))[0]?.replace(/ \d+ (\d+ ){4}/g, '')).toBe(
      before?.replace(/ \d+ (\d+ ){4}/g, ''),
    );
    expect(clients.every((client) => client.lost === 0)).toBe(true);
    await box.save({ backends: [box.backend(1, { weight: 9 }), box.backend(2)] });
    await until('the next good one is in force', () => box.status?.backends[0]?.weight === 9);
  });

  it('follows edits in place as well as renames, and outlives the file', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    await writeFile(
      box.poolFile,
      stringify(
        poolObject(
          { port: box.port, proxy: { maxConnections: 4_000 }, backends: [box.backend(1, { weight: 21 }), box.backend(2)] },
          'test',
        ),
      ),
    );
    await until('the edit in place is in force', () => box.status?.backends[0]?.weight === 21);
    await promisify(execFile)('rm', [box.poolFile]);
    await until('its absence is reported', () => box.events('PoolUnreadable').length === 1);
    await until('the status says so, too', () => box.condition('Accepted') === 'False');
    await throughout('it goes on serving', 300, async () => (await box.whoServes()) !== null);
    await box.save({ backends: [box.backend(1, { weight: 22 }), box.backend(2)] });
    await until('the new file is in force', () => box.status?.backends[0]?.weight === 22);
    await until('nothing is refused any more', () => box.condition('Accepted') === 'True');
  });

  it('with --once serves, shows one document and leaves HAProxy running', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends() });
    const status: unknown = JSON.parse(await box.runOnce('--output', 'json'));
    expect(poolStatus.parse(status)).toMatchObject({ summary: '2/2', proxies: { synced: 1 } });
    expect(await box.whoServes()).not.toBeNull();
    expect(await box.runOnce()).toMatch(/BACKEND +SERVER +STATE[\s\S]+s1[\s\S]+Up[\s\S]+2\/2 backends up, Ready=True/);
  });

  it('exits with 1 and says why when it cannot start', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: [{ name: 'rack', replicas: 2 }], podTemplate: {} });
    await expect(box.runOnce()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /CCP_POOL_UNSUPPORTED [\s\S]*line \d+: spec\.backends\[0\]: expected external\.address, for pods are made in Kubernetes only/,
      ),
    });
    await box.save({ backends: box.backends() });
    await expect(box.runOnce('--haproxy', '/nowhere/haproxy')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('CCP_HAPROXY_MISSING'),
    });
    await box.save({ backends: box.backends(), proxy: { maxConnections: 1_000_000 } });
    await expect(box.runOnce()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('CCP_FILE_LIMIT') });
    await box.save({ port: box.server(1).port, backends: box.backends() });
    await expect(box.runOnce('--bind', box.server(1).host)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('expected the address of a server'),
    });
    const other = await box.addServer();
    await box.save({ port: other.port, backends: box.backends(1) });
    await expect(box.runOnce('--bind', other.host)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/CCP_PORT_UNUSABLE .*EADDRINUSE[\s\S]*another program/),
    });
  });

  it('streams state changes at once, and is ready only when HAProxy runs what was asked for', async () => {
    box = await TestBox.create(NEWEST, 2);
    await box.save({ backends: box.backends() });
    await box.start();
    const stream = new AbortController();
    const lines: ObservationLine[] = [];
    const response = await fetch(`${box.http}/v1/observations`, { signal: stream.signal });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const reading = readLines(response, lines);
    await until('it tells everything at first', () => lines.filter((line) => line.kind === 'server').length === 2);
    await box.save({ backends: [box.backend(1, { weight: 3 }), box.backend(2)] });
    const took = await until('the change is told', () => lines.some((line) => line.kind === 'server' && line.weight === 3));
    expect(took).toBeLessThan(1_000);
    await box.save({ backends: box.backends(2) });
    await until('a server that is gone is told', () => lines.some((line) => line.kind === 'gone' && line.name === box.nameOf(1)));
    stream.abort();
    await reading;
    expect((await fetch(`${box.http}/readyz`)).status).toBe(200);
    expect((await fetch(`${box.http}/healthz`)).status).toBe(200);
    expect((await fetch(`${box.http}/elsewhere`)).status).toBe(404);
    expect((await fetch(`${box.http}/metrics`, { method: 'POST' })).status).toBe(405);
    expect(await box.metric('cccam_server_weight')).toEqual([`cccam_server_weight{server="${box.nameOf(2)}"} 256`]);
  });

  it('listens for observations on 127.0.0.1 only', async () => {
    box = await TestBox.create(NEWEST, 1);
    await box.save({ backends: box.backends() });
    await box.start();
    await expect(fetch(box.http.replace('127.0.0.1', '127.0.0.2'))).rejects.toThrow();
  });
});

async function readLines(response: Response, lines: ObservationLine[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) lines.push(JSON.parse(part) as ObservationLine);
    }
  } catch (thrown) {
    if (!(thrown instanceof Error && thrown.name === 'AbortError')) throw thrown;
  }
}
