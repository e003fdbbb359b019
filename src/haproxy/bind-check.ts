import { createServer } from 'node:net';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { bindText } from './render.ts';

/**
 * Makes sure that nothing listens on an address and port. HAProxy itself shares a port with any other of its kind without a word, and
 * a reload to a taken port closes the old one while it tries. Nothing can listen on an address that this machine does not have yet.
 *
 * @throws CccamError CCP_PORT_UNUSABLE
 */
export async function assertPortFree(bind: { readonly address: string; readonly port: number }): Promise<void> {
  const server = createServer((socket) => socket.destroy()); // a client that comes in this very moment comes back to HAProxy
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: bind.address, port: bind.port, exclusive: true }, resolve);
    });
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === 'EADDRNOTAVAIL') return;
    throw new CccamError('CCP_PORT_UNUSABLE', {
      subject: bindText(bind),
      message: `cannot be listened on (${code ?? messageOf(thrown)})`,
      remedy: HINTS[code ?? ''] ?? 'Choose another address or port.',
      retryable: true,
      cause: thrown,
    });
  }
  await new Promise((resolve) => server.close(resolve));
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'Does another program, or a HAProxy of an earlier run with another state folder, listen there? End it, or choose another port. `ss -ltnp` shows who it is.',
  EACCES: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE. Choose a higher port, or run it with that right.',
  EAFNOSUPPORT: 'This machine has no IPv6. Choose an IPv4 address with --bind.',
};
