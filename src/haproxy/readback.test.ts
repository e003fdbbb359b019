import { describe, expect, it } from 'vitest';
import { parseInfo, parseProcesses, parseServers, parseSessions } from './readback.ts';

const PROCESSES = `#<PID>          <type>          <reloads>       <uptime>        <version>
3570            master          1 [failed: 2]   0d00h00m29s     2.6.12-1+deb12u4
# workers
3677            worker          0               0d00h00m01s     2.6.12-1+deb12u4
# old workers
3582            worker          1               0d00h00m29s     2.6.12-1+deb12u4
3583            worker          2               0d00h00m59s     2.6.12-1+deb12u4
# programs
`;
const STATES = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 servers 1 a-127.0.1.1:12001 127.0.1.1 2 4 40 256 1 8 2 0 6 0 0 1 - 12001 - 0 0 - - 0
3 servers 2 b-127.0.1.2:12001 127.0.1.2 0 5 128 128 1 1 0 0 8 0 0 1 - 12002 - 0 0 - - 0
3 servers 3 c-fd00::1:12001 fd00::1 3 8 1 1 1 1 0 0 14 0 0 1 - 12001 - 0 0 - - 0
`;
const HEADER =
  '# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,check_status,last_chk';
const STATISTICS = [
  HEADER,
  'servers,a-127.0.1.1:12001,0,0,7,9,1000,20,0,0,,3,,1,2,4,5,UP,256,1,0,* L7OK,"a, b"',
  'servers,b-127.0.1.2:12001,0,0,0,0,,0,0,0,,0,,0,0,0,0,MAINT,128,0,1,,',
  'servers,c-fd00::1:12001,0,0,2,0,1,0,0,0,,0,,0,0,0,0,DRAIN,1,1,0,L4CON,',
  '',
].join('\n');

const unreadable = expect.objectContaining({ code: 'CCP_HAPROXY_ANSWER_UNREADABLE' });

describe('parseProcesses', () => {
  it('tells the master, the current worker and the old ones apart', () => {
    expect(parseProcesses(PROCESSES)).toEqual({ masterPid: 3570, reloads: 1, failedReloads: 2, currentPid: 3677, oldPids: [3582, 3583] });
  });

  it('has no current worker while there is none', () => {
    expect(parseProcesses('9 master 0 [failed: 0] 0d 2.6\n# workers\n# programs\n')).toMatchObject({ currentPid: null, oldPids: [] });
  });

  it('throws for what is no answer', () => {
    expect(() => parseProcesses('Unknown command')).toThrow(unreadable);
  });
});

describe('parseServers', () => {
  const servers = parseServers(STATES, STATISTICS, new Map([[3, 12]]));

  it('joins what was asked of a server with how it does', () => {
    expect(servers[0]).toEqual({
      id: 1,
      name: 'a-127.0.1.1:12001',
      address: '127.0.1.1',
      port: 12_001,
      weight: 40,
      maxConnections: 1_000,
      backup: false,
      admin: 'ready',
      operational: 'up',
      checks: 'on',
      checksOwnAddress: true,
      checkStatus: 'L7OK',
      sessions: 7,
      queued: 0,
      totalSessions: 20,
      withoutGreeting: 3,
      clientErrors: 15,
      remembered: 0,
    });
  });

  it('reads every state', () => {
    expect(servers.map((server) => [server.admin, server.operational, server.backup, server.checks, server.remembered])).toEqual([
      ['ready', 'up', false, 'on', 0],
      ['maint', 'down', true, 'none', 0],
      ['drain', 'stopping', false, 'on', 12],
    ]);
  });

  it('throws rather than guess when an answer is cut or another', () => {
    expect(() => parseServers(STATES, HEADER, new Map())).toThrow(unreadable);
    expect(() => parseServers('', STATISTICS, new Map())).toThrow(unreadable);
    expect(() => parseServers(STATES, 'nonsense', new Map())).toThrow(unreadable);
    expect(() => parseServers(STATES, STATISTICS.replace(',7,9,', ',x,9,'), new Map())).toThrow(unreadable);
  });
});

describe('parseSessions', () => {
  it('counts live sessions by server', () => {
    expect([...parseSessions(STATISTICS)]).toEqual([
      ['a-127.0.1.1:12001', 7],
      ['b-127.0.1.2:12001', 0],
      ['c-fd00::1:12001', 2],
    ]);
  });
});

describe('parseInfo', () => {
  it('says who answered and what it runs', () => {
    expect(parseInfo('Name: HAProxy\nPid: 42\nUptime_sec: 7\ndescription: cccam-operator 0123456789abcdef *:12000\nStopping: 1\n')).toEqual(
      {
        pid: 42,
        uptimeSeconds: 7,
        structureHash: '0123456789abcdef',
        binds: ['*:12000'],
        stopping: true,
      },
    );
    expect(parseInfo('Pid: 42\n')).toMatchObject({ structureHash: null, binds: [], stopping: false });
    expect(() => parseInfo('')).toThrow(unreadable);
  });
});
