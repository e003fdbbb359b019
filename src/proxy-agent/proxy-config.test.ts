import { describe, expect, it } from 'vitest';
import { aModel, aServer } from '../../test/fakes/pools.ts';
import { proxyConfigText, revisionOf } from '../wire/proxy-config.ts';
import { agentConfig } from './proxy-config.ts';

const RUNTIME = {
  proxy: 'p-haproxy-x',
  bindAddress: '10.0.0.9',
  sockets: { runtime: '/run/cccam/runtime.sock', peers: '/run/cccam/peers.sock' },
  fileLimit: 20_000,
};

describe('agentConfig', () => {
  it('reads what the operator has written, in the place of this very proxy', () => {
    const model = aModel([aServer(1), aServer(2, { state: 'drain', deadlineAt: 1_800_000_000_000 })]);
    const structure = { ...model.structure, bind: { address: '10.0.0.9', port: model.structure.bind.port }, sockets: RUNTIME.sockets };
    const text = proxyConfigText(model, {
      agents: [{ server: model.servers[1]?.name ?? '', port: 9_322 }],
      ends: [{ proxy: 'p-haproxy-x', deadlineAt: 5 }],
    });
    const ends = new Map([['p-haproxy-x', 5]]);
    const agents = new Map([[model.servers[1]?.name, { address: '127.0.1.2', port: 9_322 }]]);
    expect(agentConfig(text, RUNTIME)).toEqual({ revision: revisionOf(text), model: { ...model, structure }, agents, ends });
  });

  it('reads what an earlier operator has written, that knew of no agents', () => {
    const model = aModel([aServer(1)]);
    expect(agentConfig(JSON.stringify(model), RUNTIME).agents.size).toBe(0);
  });

  it('asks no agent at an address that is not that of its server', () => {
    expect(
      agentConfig(proxyConfigText(aModel([aServer(1)]), { agents: [{ server: 'somebody-10.0.0.1:1', port: 80 }] }), RUNTIME).agents.size,
    ).toBe(0);
  });

  it('takes its own share of what servers may hold, and the even one where it was given none', () => {
    const model = aModel([aServer(1), aServer(2)]);
    const text = proxyConfigText(model, {
      agents: [],
      shares: [
        { proxy: 'p-haproxy-x', limits: [[2, 900]] },
        { proxy: 'p-haproxy-y', limits: [[1, 0]] },
      ],
    });
    const limits = (proxy: string) => agentConfig(text, { ...RUNTIME, proxy }).model.servers.map(({ maxConnections }) => maxConnections);
    expect(['p-haproxy-x', 'p-haproxy-y', 'p-haproxy-z'].map(limits)).toEqual([
      [500, 900],
      [0, 500],
      [500, 500],
    ]);
  });

  it('holds as many sessions as its open files allow, and refuses where not even one fits', () => {
    const few = { ...RUNTIME, fileLimit: 1_024 };
    expect(agentConfig(proxyConfigText(aModel([aServer(1)]), { agents: [] }), few).model.structure.maxConnections).toBe(362);
    expect(() => agentConfig(proxyConfigText(aModel([aServer(1)]), { agents: [] }), { ...RUNTIME, fileLimit: 128 })).toThrow(
      expect.objectContaining({ code: 'CCP_FILE_LIMIT' }),
    );
  });

  it.each([
    ['nothing', undefined],
    ['no JSON', '{'],
    ['another shape', '{"servers":[]}'],
    ['a name with a command in it', proxyConfigText(aModel([aServer(1, { name: 'a;shutdown' })]), { agents: [] })],
    ['an address that is a path', proxyConfigText(aModel([aServer(1, { address: 'unix@/x' })]), { agents: [] })],
    ['a weight out of range', proxyConfigText(aModel([aServer(1, { weight: 257 })]), { agents: [] })],
  ])('refuses %s before it counts', (_what, text) => {
    expect(() => agentConfig(text, RUNTIME)).toThrow(/^(proxy\.json|server name|address|weight)/);
  });
});
