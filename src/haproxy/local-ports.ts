import { readFile } from 'node:fs/promises';
import { systemCode } from '../runtime/errors.ts';

/** Local ports of connections to the server that takes most of them. */
export interface LocalPorts {
  readonly taken: number;
  /** That there are, for each server. */
  readonly of: number;
}

/** Below this part of the ports no single server can be near the end, and the long list of sockets need not be read. */
const WORTH_A_LOOK = 0.5;

/**
 * How near this machine is to having no local port left for a server. A connection that was closed keeps its port for a minute (TIME_WAIT),
 * and a pair of addresses has some 28 000 of them by default.
 *
 * @param targets addresses and ports of servers
 */
export async function readLocalPorts(targets: readonly { readonly address: string; readonly port: number }[]): Promise<LocalPorts> {
  const [range, sockets] = await Promise.all([readText('/proc/sys/net/ipv4/ip_local_port_range'), readText('/proc/net/sockstat')]);
  const of = portsIn(range);
  if (socketsIn(sockets) < WORTH_A_LOOK * of) return { taken: 0, of };
  const wanted = new Set(targets.map(({ address, port }) => hexTarget(address, port)));
  const lists = await Promise.all([readText('/proc/net/tcp'), readText('/proc/net/tcp6')]);
  return { taken: mostTaken(lists.join('\n'), wanted), of };
}

/** Ports of a range such as `32768\t60999`. */
export function portsIn(range: string): number {
  const [first = 0, last = -1] = range.trim().split(/\s+/).map(Number);
  return Math.max(0, last - first + 1);
}

/** TCP sockets of `/proc/net/sockstat`, those that are closing among them. */
export function socketsIn(text: string): number {
  const [, inuse = 0, waiting = 0] = /^TCP: inuse (\d+) .*\btw (\d+)/m.exec(text) ?? [];
  return Number(inuse) + Number(waiting);
}

/** The most sockets to one of these targets, of `/proc/net/tcp`. */
export function mostTaken(table: string, targets: ReadonlySet<string>): number {
  const counts = new Map<string, number>();
  for (const line of table.split('\n')) {
    const remote = line.trim().split(/\s+/, 3)[2] ?? '';
    if (targets.has(remote)) counts.set(remote, (counts.get(remote) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

/** An IPv4 address and port as the kernel writes them in its list of sockets: `0109007F:5DC1`. IPv6 addresses are not looked for. */
export function hexTarget(address: string, port: number): string {
  const parts = address.split('.').map(Number);
  const hex = (value: number, length: number): string => value.toString(16).toUpperCase().padStart(length, '0');
  return parts.length === 4
    ? `${parts
        .reverse()
        .map((part) => hex(part, 2))
        .join('')}:${hex(port, 4)}`
    : '';
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (systemCode(thrown) !== undefined) return ''; // not there in some containers: nothing is known then
    throw thrown;
  }
}
