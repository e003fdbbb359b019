import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAnyAddress, readAddress } from './server-address.ts';

describe('readAddress', () => {
  it('prints an address in its one canonical spelling', () => {
    expect(readAddress('192.168.1.12', { loopback: false })).toEqual({ kind: 'address', canonical: '192.168.1.12' });
    expect(readAddress('2001:DB8:0:0:0:0:0:1', { loopback: false })).toEqual({ kind: 'address', canonical: '2001:db8::1' });
  });

  it.each([
    'unix@/path',
    '/path',
    'abns@x',
    '0.0.0.0',
    '*',
    '0x7f000001',
    '127.1',
    '2130706433',
    '0177.0.0.1',
    '169.254.169.254',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    'localhost',
    '"${HOME}"',
    '10.0.0.1\n',
    ' 10.0.0.1',
    '10.0.0.1;',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
  ])('refuses %j, which HAProxy would take', (text) => {
    expect(readAddress(text, { loopback: true }).kind).toBe('refused');
  });

  it('reads its own spelling back as the same address, whatever the address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const reading = readAddress(text, { loopback: true });
        if (reading.kind === 'refused') return true;
        return isIP(reading.canonical) !== 0 && readAddress(reading.canonical, { loopback: true }).kind === 'address';
      }),
    );
  });
});

describe('isAnyAddress', () => {
  it('knows the two that mean every address', () => {
    expect(['::', '0.0.0.0', '::1', '127.0.0.1'].map(isAnyAddress)).toEqual([true, true, false, false]);
  });
});
