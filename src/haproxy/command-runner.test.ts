import { afterEach, describe, expect, it } from 'vitest';
import { FakeHaproxySocket } from '../../test/fakes/haproxy-socket.ts';
import { CommandRunner } from './command-runner.ts';
import type { ProxyEvent } from './event.ts';

describe('CommandRunner', () => {
  let fake: FakeHaproxySocket;
  afterEach(async () => await fake.close());

  it('says which commands were done, and tells a refusal once for as long as it repeats', async () => {
    let refusal = 'No such server.';
    fake = await FakeHaproxySocket.listen((_request, socket) => socket.end(`\n> \n\n> ${refusal}\n\n> `));
    const events: ProxyEvent[] = [];
    const runner = new CommandRunner(fake.path, (event) => events.push(event));
    const good = { kind: 'state', name: 'a', state: 'drain' } as const;
    const bad = { kind: 'weight', name: 'b', weight: 1 } as const;
    expect(await runner.run([good, bad])).toEqual([good]);
    expect(await runner.run([good, bad])).toEqual([good]);
    expect(events).toEqual([{ severity: 'Warning', reason: 'CommandRefused', server: 'b', message: 'weight: No such server.' }]);
    refusal = '';
    expect(await runner.run([good, bad])).toEqual([good, bad]);
    refusal = 'No such server.';
    await runner.run([good, bad]);
    expect(events).toHaveLength(2);
  });
});
