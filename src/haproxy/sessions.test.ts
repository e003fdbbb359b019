import { describe, expect, it } from 'vitest';
import { parseSessionIds } from './sessions.ts';

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
