import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAnyAddress, isWithin, readAddress, subnet64 } from './server-address.ts';

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

  it.each([
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd00:c1::a9fe:a9fe',
    'fd20:ce::254',
    '::169.254.169.254',
    '::a9fe:a9fe',
    '::ffff:169.254.169.254',
    '::ffff:0:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::168.63.129.16',
    '64:ff9b::127.0.0.1',
    '2002:a9fe:a9fe::1',
    '2002:7f00:1::',
    '2002:6464:64c8::1',
    '2001:0:4136:e378:8000:63bf:5601:5601',
    '2001:db8::5efe:169.254.169.254',
    '2001:db8::200:5efe:a9fe:a9fe',
  ])('refuses %j, where a cloud tells a machine its secrets or the proxy reaches itself', (text) => {
    for (const loopback of [false, true]) expect(readAddress(text, { loopback }).kind).toBe('refused');
  });

  it.each(['64:ff9b::192.0.2.1', '2002:c000:201::1', '2001:db8::5efe:c000:201', '2001:4860::1', 'fd00:ec2::1', '168.63.129.17'])(
    'takes %j, which is an address like any other',
    (text) => {
      expect(readAddress(text, { loopback: false }).kind).toBe('address');
    },
  );

  it('takes loopback where that is fine, and nowhere else', () => {
    for (const text of ['127.0.0.1', '::1'])
      expect([true, false].map((loopback) => readAddress(text, { loopback }).kind)).toEqual(['address', 'refused']);
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

describe('isWithin', () => {
  it('finds an address in networks of both families, whatever it is embedded in', () => {
    const networks = ['10.96.0.0/12', 'fd00:1::/64'];
    const inside = ['10.96.0.1', '10.111.255.255', 'fd00:1::7', '64:ff9b::10.96.0.1', '2002:a60:1::1'];
    expect(inside.map((address) => isWithin(address, networks))).toEqual(inside.map(() => true));
    expect(['10.95.0.1', 'fd00:2::7', '64:ff9b::10.95.0.1'].map((address) => isWithin(address, networks))).toEqual([false, false, false]);
    expect(isWithin('10.96.0.1', [])).toBe(false);
  });
});

describe('subnet64', () => {
  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['2001:db8::7', '2001:db8::'],
    ['fd00:0:0:7::1', 'fd00:0:0:7::'],
    ['::1', '::'],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['unix', 'unix'],
  ])('of %s is %s', (address, expected) => {
    expect(subnet64(address)).toBe(expected);
  });
});

describe('isAnyAddress', () => {
  it('knows the two that mean every address', () => {
    expect(['::', '0.0.0.0', '::1', '127.0.0.1'].map(isAnyAddress)).toEqual([true, true, false, false]);
  });
});
