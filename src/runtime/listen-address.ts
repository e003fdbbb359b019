import { createServer } from 'node:net';
import { systemCode } from './errors.ts';
import { ANY_ADDRESS, ANY_IPV4 } from './server-address.ts';

/**
 * What to listen on where an address is asked for: itself, but every IPv4 address in place of every address on a machine whose kernel
 * has no IPv6 (`ipv6.disable=1`), where that cannot be had.
 */
export async function listenAddress(address: string): Promise<string> {
  return address === ANY_ADDRESS && !(await hasIpv6()) ? ANY_IPV4 : address;
}

async function hasIpv6(): Promise<boolean> {
  const server = createServer();
  const code = await new Promise<string | null>((resolve) => {
    server.once('error', (thrown) => resolve(systemCode(thrown) ?? 'unknown'));
    server.listen({ host: ANY_ADDRESS, port: 0, exclusive: true }, () => resolve(null));
  });
  if (code === null) await new Promise((resolve) => server.close(resolve));
  return code === null;
}
