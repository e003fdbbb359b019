import { BlockList, isIPv4, isIPv6 } from 'node:net';

const LOOPBACK = subnets([
  ['127.0.0.0', 8, 'ipv4'],
  ['::1', 128, 'ipv6'],
]);
/**
 * Addresses that no server may have. CVE-2021-25740 shows why: a user who may name the proxy's targets can aim it at what only the
 * proxy can reach. IPv4-mapped IPv6 is refused whole (below), because it is a second spelling of every IPv4 address on this list.
 */
const NEVER = subnets([
  ['0.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::', 96, 'ipv6'], // IPv4-compatible; ::1 is loopback and judged as that
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
]);

/** Where clouds tell a machine its secrets, beside 169.254.169.254: Alibaba, Azure, Oracle, AWS and Google. */
const METADATA = subnets([
  ['100.100.100.200', 32, 'ipv4'],
  ['168.63.129.16', 32, 'ipv4'],
  ['192.0.0.192', 32, 'ipv4'],
  ['fd00:ec2::254', 128, 'ipv6'],
  ['fd00:ec2::23', 128, 'ipv6'],
  ['fd00:c1::a9fe:a9fe', 128, 'ipv6'],
  ['fd20:ce::254', 128, 'ipv6'],
]);

/** What reading an address gives: its one canonical spelling, or why it was refused. */
export type AddressReading =
  | { readonly kind: 'address'; readonly canonical: string }
  | { readonly kind: 'refused'; readonly expected: string };

const EXPECTED = 'expected an IPv4 or IPv6 address; names, paths, zones and other spellings are refused';

/**
 * Reads the address of a server. HAProxy itself takes `127.1`, `0x7f000001`, `localhost`, `unix@/path` and `"${HOME}"` for
 * addresses, so nothing but the canonical spelling that this function returns may ever reach it.
 *
 * @param options.loopback whether 127.0.0.0/8 and ::1 are fine, as they are on one machine without Kubernetes
 */
export function readAddress(text: string, options: { readonly loopback: boolean }): AddressReading {
  if (text.length > 45 || !/^[0-9A-Fa-f.:]+$/.test(text)) return { kind: 'refused', expected: EXPECTED };
  const family = isIPv4(text) ? 'ipv4' : isIPv6(text) ? 'ipv6' : undefined;
  if (family === undefined) return { kind: 'refused', expected: EXPECTED };
  const canonical = family === 'ipv4' ? text : canonicalIpv6(text);
  if (!options.loopback && LOOPBACK.check(canonical, family) && !canonical.startsWith('::ffff:')) {
    return { kind: 'refused', expected: 'expected an address other than loopback: a proxy in a cluster would reach itself' };
  }
  const within = family === 'ipv6' ? embeddedIpv4(canonical) : null;
  if (isNever(canonical, family) || (within !== null && (isNever(within, 'ipv4') || LOOPBACK.check(within, 'ipv4')))) {
    return {
      kind: 'refused',
      expected:
        'expected an address that a server can have: not unspecified, link-local, multicast, broadcast, IPv4-mapped or of a cloud metadata service',
    };
  }
  return { kind: 'address', canonical };
}

function isNever(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (address.startsWith('::ffff:')) return true;
  return !LOOPBACK.check(address, family) && (NEVER.check(address, family) || METADATA.check(address, family));
}

/** The IPv4 address that an IPv6 address leads to: by NAT64 (RFC 6052, RFC 8215), IPv4-translated, 6to4, Teredo or ISATAP; or null. */
function embeddedIpv4(address: string): string | null {
  const bits = asNumber(address, 'ipv6');
  const prefix = (length: bigint): bigint => bits >> (128n - length);
  const low = bits & 0xffff_ffffn;
  if (prefix(96n) === 0x64_ff9b_0000_0000_0000_0000n || prefix(48n) === 0x64_ff9b_0001n || prefix(96n) === 0xffff_0000n) return ipv4(low);
  if (prefix(16n) === 0x2002n) return ipv4((bits >> 80n) & 0xffff_ffffn);
  if (prefix(32n) === 0x2001_0000n) return ipv4(low ^ 0xffff_ffffn);
  if (((bits >> 32n) & 0xfdff_ffffn) === 0x5efen) return ipv4(low);
  return null;
}

function ipv4(number: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 0xffn)).join('.');
}

/** Whether an address is in one of these networks. @param networks as `readNetwork` gives them */
export function isWithin(address: string, networks: readonly string[]): boolean {
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  for (const network of networks) {
    const [base = '', bits = ''] = network.split('/');
    list.addSubnet(base, Number(bits), isIPv4(base) ? 'ipv4' : 'ipv6');
  }
  const within = family === 'ipv6' ? embeddedIpv4(canonicalIpv6(address)) : null;
  return list.check(address, family) || (within !== null && list.check(within, 'ipv4'));
}

/** What reading a network gives. */
export type NetworkReading =
  | { readonly kind: 'network'; readonly canonical: string }
  | { readonly kind: 'refused'; readonly expected: string };

const NETWORK_EXPECTED = 'expected an IPv4 or IPv6 network such as 10.0.0.0/8 or fd00::/8, without bits behind the prefix';

/** Reads a network: an address, a slash and the length of its prefix. An address alone stands for itself. */
export function readNetwork(text: string): NetworkReading {
  const [address = '', length, ...more] = text.split('/');
  const family = /^[0-9A-Fa-f.:]{2,45}$/.test(address) ? (isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined) : undefined;
  if (family === undefined || more.length > 0) return { kind: 'refused', expected: NETWORK_EXPECTED };
  const most = family === 'ipv4' ? 32 : 128;
  const bits = length === undefined ? most : Number(length);
  if (length !== undefined && (!/^[0-9]{1,3}$/.test(length) || bits > most)) return { kind: 'refused', expected: NETWORK_EXPECTED };
  const canonical = family === 'ipv4' ? address : canonicalIpv6(address);
  // Bits behind the prefix are most likely a slip; HAProxy would drop them without a word.
  if ((asNumber(canonical, family) & ((1n << BigInt(most - bits)) - 1n)) !== 0n) return { kind: 'refused', expected: NETWORK_EXPECTED };
  return { kind: 'network', canonical: `${canonical}/${bits}` };
}

/** RFC 5952 spelling; the URL parser of the platform is a well-kept implementation of it. */
function canonicalIpv6(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** An address in canonical spelling as a number. */
function asNumber(address: string, family: 'ipv4' | 'ipv6'): bigint {
  if (family === 'ipv4') return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const words = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const [before, after] = [words(head), words(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
}

function subnets(rows: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits, family] of rows) list.addSubnet(address, bits, family);
  return list;
}

/** First address of the /64 that an IPv6 address is in, in canonical spelling; anything else as it is, IPv4 behind `::ffff:` among it. */
export function subnet64(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const high = asNumber(canonicalIpv6(address), 'ipv6') >> 64n;
  const words = [48n, 32n, 16n, 0n].map((shift) => ((high >> shift) & 0xffffn).toString(16));
  return canonicalIpv6(`${words.join(':')}::`);
}

/** Every address of this machine, of both families. */
export const ANY_ADDRESS = '::';
/** Every address of IPv4. */
export const ANY_IPV4 = '0.0.0.0';

/** Whether an address to listen on means every address of its family, or of both. */
export function isAnyAddress(address: string): boolean {
  return address === ANY_ADDRESS || address === ANY_IPV4;
}
