import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../test/haproxy/ports.ts';
import { until } from '../../test/haproxy/until.ts';
import { assertPortFree } from './bind-check.ts';

describe('assertPortFree', () => {
  it('is content with a free port and leaves it free', async () => {
    const port = await freePort();
    await assertPortFree({ address: '127.0.0.1', port });
    await assertPortFree({ address: '127.0.0.1', port });
  });

  it('refuses a port that somebody has, and an address that is not ours', async () => {
    const server = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await expect(assertPortFree({ address: '127.0.0.1', port })).rejects.toMatchObject({ code: 'CCP_PORT_UNUSABLE' });
    await expect(assertPortFree({ address: '0.0.0.0', port })).rejects.toMatchObject({ code: 'CCP_PORT_UNUSABLE' });
    await new Promise((resolve) => server.close(resolve));
    await expect(assertPortFree({ address: '192.0.2.200', port })).rejects.toMatchObject({ code: 'CCP_PORT_UNUSABLE' });
  });

  it('does not wait for a client that comes in that very moment', async () => {
    const port = await freePort();
    const end = new AbortController();
    let met = 0;
    const knock = async (): Promise<void> => {
      while (!end.signal.aborted) {
        await new Promise<void>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port });
          socket.once('connect', () => {
            met += 1; // kept open from this side: only the other one can end it
          });
          socket.on('error', () => socket.destroy()); // refused or turned away: it comes back
          socket.once('close', () => resolve());
        });
      }
    };
    const knocking = Promise.all(Array.from({ length: 8 }, knock));
    await until('clients were met', async () => {
      await assertPortFree({ address: '127.0.0.1', port });
      return met > 3;
    });
    end.abort();
    await knocking;
  });
});
