import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { countSockets, NO_SOCKETS, readSockets } from './socket-table.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (local: string, code: string) =>
  `   0: ${local} 0A00020F:C350 ${code} 00000000:00000000 00:00000000 00000000     0        0 1 1`;

describe('countSockets', () => {
  it('counts by state what has the port as its own, in both tables', () => {
    const ipv4 = [
      HEADER,
      line('00000000:2EE0', '0A'),
      line('0100007F:2EE0', '01'),
      line('0100007F:2EE0', '08'),
      line('0100007F:C350', '01'),
    ];
    const ipv6 = [HEADER, line('0000000000000000FFFF00000100007F:2EE0', '01'), line('00000000000000000000000000000000:2EE0', '06')];
    expect(countSockets([ipv4.join('\n'), ipv6.join('\n')], 12_000)).toEqual({
      ...NO_SOCKETS,
      listening: 1,
      established: 2,
      close_wait: 1,
      time_wait: 1,
    });
  });

  it('takes no other port for it, and skips what is no line', () => {
    expect(
      countSockets(
        [`${HEADER}\n\nnonsense\n${line('0100007F:12EE0', '01')}\n${line('0100007F:2EE1', '01')}\n${line('0100007F:2EE0', 'ZZ')}`],
        12_000,
      ),
    ).toEqual(NO_SOCKETS);
  });
});

describe('readSockets', () => {
  it('sees a server come, its clients, a client that it does not let go, and its end', async () => {
    const held: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      held.push(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await readSockets(port)).toEqual({ ...NO_SOCKETS, listening: 1 });
    const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await until('both are there', async () => held.length === 2 && (await readSockets(port)).established === 2);
    clients[0]?.end();
    await until('one hangs', async () => (await readSockets(port)).close_wait === 1);
    expect((await readSockets(port)).established).toBe(1);
    for (const socket of [...held, ...clients]) socket.resetAndDestroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(await readSockets(port)).toEqual(NO_SOCKETS);
  });
});
