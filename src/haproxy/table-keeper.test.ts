import { describe, expect, it } from 'vitest';
import { parseClientCounts, parseRemembered } from './table-keeper.ts';

describe('tables of HAProxy', () => {
  it('tell how many sessions a client has, on 2.6 and 3.0', () => {
    const table = [
      '# table: clients, type: ipv6, size:102400, used:2',
      '0x55a0: key=::ffff:127.100.0.1 use=1 exp=593867 gpt0=0 conn_rate(10000)=1 conn_cur=3',
      '0x7ff4: key=2001:db8::7 use=0 exp=599988 shard=0 gpt0=0 conn_rate(10000)=3 conn_cur=0',
    ].join('\n');
    expect([...parseClientCounts(table)]).toEqual([
      ['::ffff:127.100.0.1', 3],
      ['2001:db8::7', 0],
    ]);
  });

  it('tell which server a client is remembered for', () => {
    const table = '0x7ff4: key=::ffff:127.100.0.1 use=0 exp=2120 shard=0 server_id=12 server_key=s1\n';
    expect(parseRemembered(table)).toEqual([{ client: '::ffff:127.100.0.1', id: 12 }]);
  });
});
