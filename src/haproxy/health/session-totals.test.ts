import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SessionTotalsReader } from './session-totals.ts';

/** Answers of HAProxy 2.6.12 and 3.0.11 to `show sess all`, two sessions each, one of them over IPv6 and without a server. */
const ANSWERS = ['2.6', '3.0'].map(
  (version) => [version, readFileSync(new URL(`./show-sess-${version}.txt`, import.meta.url), 'utf8')] as const,
);

function read(text: string): SessionTotalsReader {
  const reader = new SessionTotalsReader(42);
  for (const line of text.split('\n')) reader.read(line);
  return reader;
}

describe('SessionTotalsReader', () => {
  it.each(ANSWERS)('reads what each session has had from its server, and who its client is, from HAProxy %s', (_version, text) => {
    const { clients, servers } = read(text);
    expect([...servers]).toEqual([['s1', new Map([['42:9', 48]])]]);
    expect([...clients]).toEqual([['::ffff:127.100.0.1', 1]]);
  });

  it('counts nothing of sessions of other backends or without a server', () => {
    const text = ANSWERS[1]?.[1].replaceAll('backend=servers ', 'backend=others ') ?? '';
    expect(read(text).servers.size).toBe(0);
  });

  it.each([
    ['tcpv4 source=192.0.2.7:1', '::ffff:192.0.2.7'],
    ['tcpv6 source=::ffff:192.0.2.7:1', '::ffff:192.0.2.7'],
    ['tcpv6 source=2001:db8:1:2:3::7:1', '2001:db8:1:2::'],
  ])('knows a client as tables do: %s', (source, client) => {
    const reader = new SessionTotalsReader(1);
    for (const line of [
      `0x1: [x] id=1 proto=${source}`,
      '  backend=servers (id=3 mode=tcp)',
      '  server=s1 (id=1)',
      '  res=0x1 (f=0x0 total=48)',
    ])
      reader.read(line);
    expect([...reader.clients.keys()]).toEqual([client]);
  });

  it('stops at ten thousand sessions', () => {
    const reader = new SessionTotalsReader(1);
    for (let index = 0; index < 9_999; index += 1) reader.read('0x1: [x] id=1 proto=tcpv4 source=127.0.0.1:1');
    expect(reader.isFull).toBe(false);
    reader.read('0x1: [x] id=1 proto=tcpv4 source=127.0.0.1:1');
    expect(reader.isFull).toBe(true);
  });
});
