import { describe, expect, it } from 'vitest';
import { canonical, gatewaysV4, gatewaysV6, nodeAddresses } from './node-addresses.ts';

const V4 = [
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  'eth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0',
  'eth0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  'eth0\t0000F40A\t0201F40A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0',
].join('\n');
const NONE = '0'.repeat(32);
const V6 = [
  `fd000010000000000000000000000000 40 ${NONE} 00 ${NONE} 00000100 00000001 00000000 00000001     eth0`,
  `${NONE} 00 ${NONE} 00 fd000010000000000000000000000001 00000400 00000003 00000000 00000003     eth0`,
  `${NONE} 00 ${NONE} 00 ${NONE} ffffffff 00000001 00000000 00200200       lo`,
].join('\n');

describe('nodeAddresses', () => {
  it('reads the gateways of default routes, and of no others', () => {
    expect(gatewaysV4(V4)).toEqual(['10.244.1.1']);
    expect(gatewaysV6(V6).flatMap(canonical)).toEqual(['fd00:10::1']);
    for (const text of ['', 'x', 'eth0\t00000000', '\n\n']) expect([gatewaysV4(text), gatewaysV6(text)]).toEqual([[], []]);
  });

  it('has the address of the node, in the spelling that callers have', async () => {
    expect(await nodeAddresses('192.0.2.7')).toContain('192.0.2.7');
    expect(await nodeAddresses('2001:DB8::0:7')).toContain('2001:db8::7');
    expect(canonical('::ffff:192.0.2.7')).toEqual(['192.0.2.7']);
    expect([canonical(''), canonical(undefined), canonical('somewhere')]).toEqual([[], [], []]);
  });
});
