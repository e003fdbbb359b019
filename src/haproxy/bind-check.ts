import { createServer } from 'node:net';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';

/**
 * Makes sure that nobody listens on an address and port. HAProxy itself shares a port with any other of its kind without a word, and
 * a reload to a taken port closes the old one while it tries.
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
    throw new CccamError('CCP_PORT_UNUSABLE', {
      subject: `${bind.address}:${bind.port}`,
      message: `cannot be listened on (${systemCode(thrown) ?? messageOf(thrown)})`,
      remedy:
        'Does another program, or a HAProxy of an earlier run with another state folder, listen there? End it, or choose another port.',
      retryable: true,
      cause: thrown,
    });
  }
  await new Promise((resolve) => server.close(resolve));
}
