import { CccamError } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { readAddress, readNetwork } from '../runtime/server-address.ts';

/**
 * The closed grammar of everything that may reach `haproxy.cfg` or the runtime socket. The schema has checked the same before;
 * this is the second wall, in case a value comes another way. `haproxy -c` is none: it accepts `unix@/path`, `localhost`,
 * `"${HOME}"` and a newline that opens a new section.
 */
const CLIENT_KEY = /^[0-9a-f]{0,4}:[0-9a-f:]{1,38}$|^::ffff:[0-9]{1,3}(\.[0-9]{1,3}){3}$/;
const SERVER_NAME = /^[a-z0-9]([-a-z0-9.:]{0,198}[a-z0-9])?$/;
/** What HAProxy itself takes for a name (`invalid_char`): no space, no semicolon, nothing that ends a command. */
const FOUND_NAME = /^[A-Za-z0-9_.:-]{1,300}$/;
const PATH = /^(\/[A-Za-z0-9._-]{1,100}){1,12}$/;
const UNIX_NAME = /^[a-z]([-a-z0-9_]{0,30}[a-z0-9])?$/;
/** Unix socket addresses hold 108 bytes with the closing zero; HAProxy adds a suffix of its own while it binds. */
const SOCKET_PATH_MAX = 94;

/** A server's name. @throws CccamError CCP_CONFIG_UNSAFE */
export function serverName(text: string): string {
  return SERVER_NAME.test(text) ? text : refuse('server name', text, 'lower-case letters, digits, dots, colons and dashes');
}

/** The name of a server that HAProxy has told us of, added by us or by hand. @throws CccamError CCP_CONFIG_UNSAFE */
export function foundName(text: string): string {
  return FOUND_NAME.test(text) ? text : refuse('server name', text, 'letters, digits, dots, colons, dashes and underscores');
}

/** A server's address and port in HAProxy's form, IPv6 in brackets. @throws CccamError CCP_CONFIG_UNSAFE */
export function endpoint(address: string, port: number): string {
  const host = serverIp(address);
  return `${host.includes(':') ? `[${host}]` : host}:${integer('port', port, 1, 65_535)}`;
}

/** The address of a server in its canonical spelling. @throws CccamError CCP_CONFIG_UNSAFE */
export function serverIp(address: string): string {
  const reading = readAddress(address, { loopback: true });
  return reading.kind === 'address' && reading.canonical === address
    ? address
    : refuse('address', address, 'a canonical IPv4 or IPv6 address');
}

/** An address to listen on, IPv6 in brackets; the unspecified ones mean every address of their family. @throws CccamError CCP_CONFIG_UNSAFE */
export function bindIp(address: string): string {
  if (address === '0.0.0.0') return '*';
  if (address === '::') return '[::]';
  return address.includes(':') ? `[${serverIp(address)}]` : serverIp(address);
}

/** A client's address as HAProxy prints it in a table of IPv6 addresses, such as `::ffff:192.0.2.7`. @throws CccamError CCP_CONFIG_UNSAFE */
export function clientKey(text: string): string {
  return CLIENT_KEY.test(text) ? text : refuse('client', text, 'an IPv6 address, or an IPv4 address behind ::ffff:');
}

/** A network in canonical spelling, such as `10.0.0.0/8`. @throws CccamError CCP_CONFIG_UNSAFE */
export function network(text: string): string {
  const reading = readNetwork(text);
  return reading.kind === 'network' && reading.canonical === text ? text : refuse('network', text, 'an IPv4 or IPv6 network');
}

/** A whole number within [`min`, `max`]. @throws CccamError CCP_CONFIG_UNSAFE */
export function integer(what: string, value: number, min: number, max: number): string {
  return Number.isInteger(value) && value >= min && value <= max
    ? String(value)
    : refuse(what, String(value), `a whole number from ${min} to ${max}`);
}

/** A time in milliseconds: HAProxy counts in 31 bits, so 24 days is the longest. @throws CccamError CCP_CONFIG_UNSAFE */
export function milliseconds(what: string, value: number): string {
  return `${integer(what, value, 1, 2_147_483_647)}ms`;
}

/** What a socket's path may be, in words. */
export const SOCKET_PATH_WORDS = `letters, digits, dots, dashes and underscores, ${SOCKET_PATH_MAX} characters at most`;

/** Whether HAProxy can be told a path without quotes, and the kernel takes it. */
export function isSocketPath(text: string): boolean {
  return PATH.test(text) && text.length <= SOCKET_PATH_MAX && !text.split('/').includes('..');
}

/** The path of a Unix socket. @throws CccamError CCP_CONFIG_UNSAFE */
export function socketPath(text: string): string {
  return isSocketPath(text) ? `unix@${text}` : refuse('socket path', text, `an absolute path of ${SOCKET_PATH_WORDS}`);
}

/** The name of a Unix user or group. @throws CccamError CCP_CONFIG_UNSAFE */
export function unixName(text: string): string {
  return UNIX_NAME.test(text) ? text : refuse('user or group', text, 'a Unix user name');
}

/** One of the few words that the model's types allow; at run time a value may still be something else. @throws CccamError CCP_CONFIG_UNSAFE */
export function word<const Words extends Readonly<Record<string, string>>>(what: string, words: Words, key: string): string {
  const text = Object.hasOwn(words, key) ? words[key] : undefined;
  return text ?? refuse(what, key, `one of ${Object.keys(words).join(', ')}`);
}

function refuse(what: string, value: unknown, expected: string): never {
  throw new CccamError('CCP_CONFIG_UNSAFE', {
    subject: what,
    message: `'${printable(String(value), 60)}' was refused; expected ${expected}`,
    remedy: 'The schema should have refused it. Please report it, with the pool.',
  });
}
