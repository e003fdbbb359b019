import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../test/support/ports.ts';
import { assertPortFree } from './bind-check.ts';

describe('assertPortFree', () => {
  it('is content with a free port and leaves it free', async () => {
    const port = await freePort();
    await assertPortFree({ address: '127.0.0.1', port });
    await assertPortFree({ address: '127.0.0.1', port });
  });

  it('refuses a port that is taken; nothing listens on an address that is not here yet', async () => {
    const server = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await expect(assertPortFree({ address: '127.0.0.1', port })).rejects.toMatchObject({ code: 'CCP_PORT_UNUSABLE' });
    await expect(assertPortFree({ address: '0.0.0.0', port })).rejects.toMatchObject({ code: 'CCP_PORT_UNUSABLE' });
    await new Promise((resolve) => server.close(resolve));
    await assertPortFree({ address: '192.0.2.200', port });
  });
});
