import { readFile } from 'node:fs/promises';

/** States of a TCP socket, as the kernel numbers them (include/net/tcp_states.h). */
const STATES = {
  '01': 'established',
  '02': 'syn_sent',
  '03': 'syn_received',
  '04': 'fin_wait',
  '05': 'fin_wait',
  '06': 'time_wait',
  '07': 'closed',
  '08': 'close_wait',
  '09': 'last_ack',
  '0A': 'listening',
  '0B': 'closing',
  '0C': 'syn_received',
} as const;
/** State of a socket, as the metric's label says it. */
export type SocketState = (typeof STATES)[keyof typeof STATES];
/** Every state once. */
export const SOCKET_STATES: readonly SocketState[] = [...new Set(Object.values(STATES))];

/** Sockets of one port, by state. */
export type SocketCounts = Readonly<Record<SocketState, number>>;

/** Nothing at all. */
export const NO_SOCKETS: SocketCounts = Object.freeze(
  Object.fromEntries(SOCKET_STATES.map((state) => [state, 0])) as Record<SocketState, number>,
);

/** Counts the sockets whose own port is `port` in tables such as `/proc/net/tcp`. Lines that are none are skipped. */
export function countSockets(tables: readonly string[], port: number): SocketCounts {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const counts = { ...NO_SOCKETS };
  for (const table of tables) {
    for (const line of table.split('\n')) {
      const [, local = '', , code = ''] = line.trim().split(/\s+/);
      if (local.endsWith(suffix) && Object.hasOwn(STATES, code)) counts[STATES[code as keyof typeof STATES]] += 1;
    }
  }
  return counts;
}

/** Counts the sockets of a port in this network namespace: that of the whole pod. @throws for a machine without /proc */
export async function readSockets(port: number): Promise<SocketCounts> {
  const ipv4 = await readFile('/proc/net/tcp', 'utf8');
  const ipv6 = await readFile('/proc/net/tcp6', 'utf8').catch(() => ''); // a kernel without IPv6 has none
  return countSockets([ipv4, ipv6], port);
}
