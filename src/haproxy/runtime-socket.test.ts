import { afterEach, describe, expect, it } from 'vitest';
import { FakeHaproxySocket } from '../../test/fakes/haproxy-socket.ts';
import { runCommands, runMasterCommand } from './runtime-socket.ts';

const unreachable = expect.objectContaining({ code: 'CCP_HAPROXY_UNREACHABLE', retryable: true });

/** Answers each command with itself, as HAProxy does in prompt mode. */
function echo(request: string): string {
  const commands = request.split('\n').filter((line) => line !== '' && line !== 'prompt' && line !== 'quit');
  return `\n> ${commands.map((command) => (command.startsWith('silent') ? '\n\n> ' : `${command}!\n\n> `)).join('')}`;
}

describe('runCommands', () => {
  let fake: FakeHaproxySocket;
  afterEach(async () => await fake.close());

  it('pairs answers with commands, empty ones too', async () => {
    fake = await FakeHaproxySocket.listen((request, socket) => socket.end(echo(request)));
    expect(await runCommands(fake.path, ['one', 'silent', 'three'])).toEqual(['one!', '', 'three!']);
  });

  it('splits a long batch, so that no request comes near what resets the connection', async () => {
    fake = await FakeHaproxySocket.listen((request, socket) => socket.end(echo(request)));
    const commands = Array.from({ length: 300 }, (_, index) => `command ${index} ${'x'.repeat(100)}`);
    expect(await runCommands(fake.path, commands)).toEqual(commands.map((command) => `${command}!`));
    expect(fake.requests.length).toBeGreaterThan(3);
    for (const request of fake.requests) expect(request.length).toBeLessThan(8_500);
  });

  it('reads an answer far above 16 kB', async () => {
    fake = await FakeHaproxySocket.listen((_request, socket) => socket.end(`\n> ${'y'.repeat(2_000_000)}\n\n> `));
    expect((await runCommands(fake.path, ['show stat']))[0]).toHaveLength(2_000_000);
  });

  it('reads no more than 16 MiB of an answer that does not end', async () => {
    let sent = 0;
    fake = await FakeHaproxySocket.listen((_request, socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write('z'.repeat(1_048_576))) sent += 1;
      };
      socket.on('drain', more).on('error', () => undefined);
      more();
    });
    await expect(runCommands(fake.path, ['show info'])).rejects.toMatchObject({ message: expect.stringContaining('more than') });
    expect(sent).toBeLessThan(30);
  });

  it('gives up after a second on a socket that hangs', async () => {
    fake = await FakeHaproxySocket.listen(() => undefined);
    const begun = performance.now();
    await expect(runCommands(fake.path, ['show info'])).rejects.toEqual(unreachable);
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  it('does not take half of the answers for all of them', async () => {
    fake = await FakeHaproxySocket.listen((_request, socket) => socket.end('\n> one!\n\n> '));
    await expect(runCommands(fake.path, ['one', 'two', 'three'])).rejects.toEqual(unreachable);
  });

  it('says so when nothing listens there', async () => {
    fake = await FakeHaproxySocket.listen(() => undefined);
    await expect(runCommands('/tmp/nobody-is-here.sock', ['show info'])).rejects.toEqual(unreachable);
  });

  it('closes its half towards the master, which would keep the connection otherwise', async () => {
    fake = await FakeHaproxySocket.listen((request, socket) => socket.end(`got ${request}`));
    expect(await runMasterCommand(fake.path, 'show proc')).toBe('got show proc');
  });
});
