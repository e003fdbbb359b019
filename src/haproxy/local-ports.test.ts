import { describe, expect, it } from 'vitest';
import { hexTarget, mostTaken, portsIn, readLocalPorts, socketsIn } from './local-ports.ts';

describe('local ports', () => {
  it('are as many as the range has', () => {
    expect(portsIn('32768\t60999\n')).toBe(28_232);
    expect(portsIn('')).toBe(0);
  });

  it('are taken by sockets that are open or closing', () => {
    expect(socketsIn('sockets: used 200\nTCP: inuse 27 orphan 0 tw 1000 alloc 30 mem 4\nUDP: inuse 2 mem 1\n')).toBe(1_027);
    expect(socketsIn('')).toBe(0);
  });

  it('are counted for the server that has most', () => {
    const rows = ['0109007F:5DC1', '0109007F:5DC1', '0209007F:5DC1', '0309007F:5DC1', '0309007F:5DC1', '0309007F:5DC1'];
    const table = rows.map((remote, index) => `   ${index}: 0100007F:9C40 ${remote} 06 00000000:00000000`).join('\n');
    const targets = new Set(['127.0.9.1', '127.0.9.2'].map((address) => hexTarget(address, 24_001)));
    expect(mostTaken(table, targets)).toBe(2);
  });

  it('can be read on this machine', async () => {
    expect((await readLocalPorts([{ address: '127.0.0.1', port: 1 }])).of).toBeGreaterThan(1_000);
  });
});
