import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedServer } from '../simulate/server.ts';
import { probeServer } from './greeting.ts';

describe('probeServer', () => {
  let server: SimulatedServer;
  afterEach(async () => await server.kill());

  async function probe(mode: SimulatedServer['mode'], probe: 'greeting' | 'connect' = 'greeting'): Promise<string> {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'x', slowMs: 150 });
    server.mode = mode;
    await server.listen();
    return (await probeServer({ address: server.host, port: server.port, probe, timeoutMs: 400 })).kind;
  }

  it.each([
    ['normal', 'greeted'],
    ['slow', 'greeted'],
    ['hung', 'silent'],
    ['banning', 'closed'],
  ] as const)('hears a %s server as %s', async (mode, outcome) => {
    expect(await probe(mode)).toBe(outcome);
  });

  it('hears a server that resets at once as closed', async () => {
    expect(await probe('closing')).toBe('closed');
  });

  it.each([
    [1, 'silent'],
    [15, 'silent'],
    [16, 'greeted'],
  ])('takes %i bytes of a greeting for %s', async (bytes, outcome) => {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'x' });
    const sender = createServer((socket) => void socket.write(Buffer.alloc(bytes)));
    await new Promise<void>((resolve) => sender.listen(0, '127.0.0.1', resolve));
    const { port } = sender.address() as AddressInfo;
    expect((await probeServer({ address: '127.0.0.1', port, probe: 'greeting', timeoutMs: 200 })).kind).toBe(outcome);
    await new Promise((resolve) => sender.close(resolve));
  });

  it('takes an error of this machine for nothing that the server did', async () => {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'x' });
    expect(await probeServer({ address: '255.255.255.255', port: 9, probe: 'greeting', timeoutMs: 400 })).toEqual({
      kind: 'local',
      code: expect.stringMatching(/^E[A-Z]+$/),
    });
  });

  it('is content with an open port where that is enough', async () => {
    expect(await probe('hung', 'connect')).toBe('greeted');
  });

  it('tells a dead port from a silent one', async () => {
    await probe('normal');
    await server.kill();
    expect(await probeServer({ address: server.host, port: server.port, probe: 'greeting', timeoutMs: 400 })).toEqual({ kind: 'refused' });
  });

  it('ends at once when its caller gives up', async () => {
    server = new SimulatedServer({ host: '127.0.0.1', port: 0, label: 'x' });
    server.mode = 'hung';
    await server.listen();
    const end = new AbortController();
    const probing = probeServer({ address: server.host, port: server.port, probe: 'greeting', timeoutMs: 60_000 }, end.signal);
    end.abort();
    expect((await probing).kind).not.toBe('greeted');
  });
});
