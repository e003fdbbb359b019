import { describe, expect, it } from 'vitest';
import { parseProcess } from './process-readback.ts';

const INFO = 'Maxconn: 1050\nConnRateLimit: 0\nSessRateLimit: 0\nSslRateLimit: 0\n';
const TABLES = '# table: servers, type: ipv6, size:102400, used:7\n# table: counts, type: integer, size:10, used:1\n';
const COUNTS = '# table: counts, type: integer, size:10, used:1\n0x7f: key=1 use=5 exp=0 shard=0 gpt0=3 gpc0=2 gpc1=9\n';
const frontend = (status: string): string => `# pxname,svname,slim,status\nclients,FRONTEND,1050,${status}\n`;

describe('parseProcess', () => {
  it('reads the frontend, the limits, the tables and the counters', () => {
    expect(parseProcess(INFO, frontend('OPEN'), TABLES, COUNTS)).toEqual({
      frontend: 'open',
      frontendLimit: 1_050,
      globalLimit: 1_050,
      rateLimited: false,
      tables: new Map([
        ['servers', 7],
        ['counts', 1],
      ]),
      heldByOld: 3,
      refused: { client: 2, full: 9 },
    });
  });

  it.each([
    ['OPEN', 'open'],
    ['FULL', 'open'],
    ['PAUSED', 'paused'],
    ['STOP', 'stopped'],
  ])('takes a frontend that is %s for %s', (status, state) => {
    expect(parseProcess(INFO, frontend(status), TABLES, COUNTS).frontend).toBe(state);
  });

  it('notices a limit of connections a second', () => {
    expect(parseProcess(INFO.replace('SessRateLimit: 0', 'SessRateLimit: 5'), frontend('OPEN'), TABLES, COUNTS).rateLimited).toBe(true);
  });

  it('takes a configuration without any of it as it is', () => {
    expect(parseProcess('', 'No such proxy.', '', 'No such table.')).toMatchObject({ frontend: 'open', heldByOld: 0, tables: new Map() });
  });
});
