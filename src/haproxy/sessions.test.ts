import { afterEach, describe, expect, it } from 'vitest';
import { FakeHaproxySocket } from '../../test/fakes/haproxy-socket.ts';
import { closeSessions, parseSessionIds } from './sessions.ts';

let master: FakeHaproxySocket | null = null;

afterEach(async () => {
  await master?.close();
  master = null;
});

/** A master whose workers each have so many sessions of the server `a`, and how many of them were told to end, by worker. */
async function workersWith(sessions: number): Promise<{ readonly path: string; readonly ended: Map<string, number> }> {
  const ended = new Map<string, number>();
  const line = (id: number): string => `0x${(id + 16).toString(16)}: proto=tcpv4 src=127.0.9.1:43923 fe=clients be=servers srv=a ts=00`;
  master = await FakeHaproxySocket.listen((request, socket) => {
    const [, pid = '', command = ''] = /^@!(\d+) (.*)/.exec(request.trim()) ?? [];
    if (command !== 'show sess') ended.set(pid, (ended.get(pid) ?? 0) + 1);
    socket.end(command === 'show sess' ? Array.from({ length: sessions }, (_each, id) => `${line(id)}\n`).join('') : '\n');
  });
  return { path: master.path, ended };
}

describe('parseSessionIds', () => {
  it('finds the sessions of one server and of nothing else', () => {
    const text = [
      '0x5a0: proto=tcpv4 src=127.0.9.1:43923 fe=clients be=servers srv=a-127.0.1.1:12001 ts=00 epoch=0 age=7s calls=4',
      '0x5b0: proto=tcpv4 src=127.0.9.1:43923 fe=clients be=servers srv=a-127.0.1.1:120011 ts=00 epoch=0 age=7s calls=4',
      '0x5c0: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1',
      '0x5d0: proto=tcpv6 src=::1:43923 fe=clients be=servers srv=a-127.0.1.1:12001 ts=00 epoch=0 age=7s calls=4',
      '',
    ].join('\n');
    expect(parseSessionIds(text, 'a-127.0.1.1:12001')).toEqual(['0x5a0', '0x5d0']);
  });
});

describe('closeSessions', () => {
  it('ends so many sessions, and none of them twice', async () => {
    const { ended, path } = await workersWith(30);
    const ending = new Set<string>();
    const closing = { server: 'a', count: 50, ending, isOver: () => false };
    expect(await closeSessions({ runtime: path, master: path }, [1, 2], closing)).toBe(50);
    expect([[...ended], ending.size]).toEqual([
      [
        ['1', 30],
        ['2', 20],
      ],
      50,
    ]);
    expect(await closeSessions({ runtime: path, master: path }, [1, 2], closing)).toBe(10);
    expect([...ended.values()]).toEqual([30, 30]);
  });

  it('gives each worker its turn where the time for it is over at once', async () => {
    const { ended, path } = await workersWith(30);
    const closing = { server: 'a', count: 1_000, ending: new Set<string>(), isOver: () => true };
    expect(await closeSessions({ runtime: path, master: path }, [1, 2, 3], closing)).toBe(60);
    expect([...ended.values()]).toEqual([20, 20, 20]);
  });
});
