import { readFile } from 'node:fs/promises';
import { systemCode } from './errors.ts';
import { readAddress } from './server-address.ts';

/**
 * Addresses from which the node of this pod itself connects, as its kubelet does: the node's own, and the gateways of the pod, which in
 * bridged networks are addresses of the node.
 *
 * @param nodeAddress `status.hostIP` of the pod
 */
export async function nodeAddresses(nodeAddress: string): Promise<ReadonlySet<string>> {
  const [v4, v6] = await Promise.all(['/proc/net/route', '/proc/net/ipv6_route'].map(readRoutes));
  return new Set([nodeAddress, ...gatewaysV4(v4 ?? ''), ...gatewaysV6(v6 ?? '')].flatMap(canonical));
}

/** A kernel without IPv6 has no such file. */
async function readRoutes(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((thrown: unknown) => {
    if (systemCode(thrown) === 'ENOENT') return '';
    throw thrown;
  });
}

/** Gateways of the default routes in `/proc/net/route`, where addresses are hexadecimal numbers of the machine's byte order. */
export function gatewaysV4(routes: string): string[] {
  return routes.split('\n').flatMap((line) => {
    const [, destination, gateway = '', , , , , mask] = line.split('\t');
    if (destination !== '00000000' || mask !== '00000000' || !/^[0-9A-F]{8}$/.test(gateway) || gateway === '00000000') return [];
    return [
      gateway
        .match(/../g)
        ?.reverse()
        .map((byte) => Number.parseInt(byte, 16))
        .join('.') ?? '',
    ];
  });
}

/** Gateways of the default routes in `/proc/net/ipv6_route`. */
export function gatewaysV6(routes: string): string[] {
  return routes.split('\n').flatMap((line) => {
    const [, length, , , gateway = ''] = line.split(/ +/);
    if (length !== '00' || !/^[0-9a-f]{32}$/.test(gateway) || /^0+$/.test(gateway)) return [];
    return [gateway.match(/.{4}/g)?.join(':') ?? ''];
  });
}

/** The one spelling of an address, without the prefix that IPv4 has on a socket of both families; none for what is no unicast address. */
export function canonical(address: string | undefined): string[] {
  const reading = readAddress((address ?? '').replace(/^::ffff:(?=[0-9.]+$)/, ''), { loopback: true });
  return reading.kind === 'address' ? [reading.canonical] : [];
}

/** Whether a request comes from one of these addresses. */
export function isFrom(
  { socket }: { readonly socket: { readonly remoteAddress?: string | undefined } },
  addresses: ReadonlySet<string>,
): boolean {
  return canonical(socket.remoteAddress).some((address) => addresses.has(address));
}
