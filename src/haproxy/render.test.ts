import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOSTILE_STRINGS } from '../../test/fakes/hostile-strings.ts';
import { aServer, aStructure } from '../../test/fakes/pools.ts';
import { parseConfig } from '../../test/haproxy/parse-config.ts';
import { commandText } from './command.ts';
import type { Structure, WantedServer } from './model.ts';
import { readDescription, renderConfig, structureHash } from './render.ts';

const inService = (server: WantedServer) => ({ ...server, inService: true });
const unsafe = expect.objectContaining({ code: 'CCP_CONFIG_UNSAFE' });

describe('renderConfig', () => {
  it('renders every promise of the pool', () => {
    expect(
      renderConfig(aStructure({ perClient: { connections: 20, newPer10s: 30 } }), [
        inService(aServer(1)),
        { ...aServer(2, { backup: true }), inService: false },
      ]),
    ).toMatchInlineSnapshot(`
      "# Written by cccam-operator. Changes made here are overwritten.
      global
          description "cccam-operator 923c59733da8af27 *:12000"
          maxconn 1050
          localpeer proxy
          stats socket unix@/run/ccp/runtime.sock mode 600 level admin expose-fd listeners
          stats timeout 30s
      defaults
          mode tcp
          timeout connect 10000ms
          timeout client 1800000ms
          timeout server 1800000ms
          timeout tunnel 1800000ms
          timeout client-fin 30000ms
          timeout server-fin 30000ms
          timeout queue 2000ms
          timeout check 2000ms
          retries 3
          option redispatch 1
          option clitcpka
          clitcpka-idle 120000ms
          clitcpka-intvl 60000ms
          clitcpka-cnt 8
          option srvtcpka
      peers itself
          bind unix@/run/ccp/peers.sock mode 600
          server proxy
      backend counts
          stick-table type integer size 10 store gpc0,gpc1,gpt0
      frontend clients
          bind *:12000
          maxconn 1050
          tcp-request session track-sc1 int(1) table counts
          tcp-request session set-var(sess.held) int(1),table_gpt0(counts)
          acl proxy_full fe_conn,add(sess.held) gt 1000
          tcp-request session sc-inc-gpc1(1) if proxy_full
          tcp-request session reject if proxy_full
          stick-table type ipv6 size 102400 expire 10m store conn_cur,conn_rate(10s),gpt0
          tcp-request session set-var(sess.client_held) src,ipmask(32,64),table_gpt0(clients)
          acl client_refused src,ipmask(32,64),table_conn_cur(clients),add(sess.client_held) ge 20
          acl client_refused src,ipmask(32,64),table_conn_rate(clients) ge 30
          tcp-request session sc-inc-gpc0(1) if client_refused
          tcp-request session reject if client_refused
          tcp-request session track-sc0 src,ipmask(32,64)
          default_backend servers
      backend servers
          balance leastconn
          option allbackups
          stick-table type ipv6 size 102400 expire 3900000ms peers itself
          stick on src,ipmask(32,64)
          option tcp-check
          tcp-check connect
          tcp-check expect min-recv 16 rbinary ^[0-9A-F]{32}
          tcp-response inspect-delay 2000ms
          tcp-response content accept if { res.len ge 16 }
          tcp-response content reject if WAIT_END
          server s1-127.0.1.1:12001 127.0.1.1:12001 id 1 weight 100 maxconn 500 check inter 60000ms fastinter 2000ms fall 3 rise 2
          server s2-127.0.1.2:12001 127.0.1.2:12001 id 2 weight 100 maxconn 500 check inter 60000ms fastinter 2000ms fall 3 rise 2 backup disabled
      "
    `);
  });

  it('leaves the guard and the greeting out where an open port is enough', () => {
    const text = renderConfig(aStructure({ check: { ...aStructure().check, probe: 'connect' } }), []);
    expect(text).not.toContain('res.len');
    expect(text).not.toContain('expect min-recv');
  });

  it('never renders what loses sessions', () => {
    const text = renderConfig(aStructure(), [inService(aServer(1))]);
    for (const trap of ['send-proxy', 'server-state-file', 'mworker-max-reloads', 'hard-stop-after', 'independent-streams'])
      expect(text).not.toContain(trap);
  });

  it('makes source hashing consistent, because the other kind refuses every change at run time', () => {
    expect(renderConfig(aStructure({ algorithm: 'source' }), [])).toContain('balance source\n    hash-type consistent');
  });
});

describe('structureHash', () => {
  it('depends on the structure and on nothing else', () => {
    expect(structureHash(aStructure())).toBe(structureHash(aStructure()));
    const changes: Partial<Structure>[] = [
      { idleMs: 60_000 },
      { algorithm: 'random' },
      { stickinessMs: null },
      { maxConnections: 2 },
      { user: { user: 'haproxy', group: 'haproxy' } },
    ];
    expect(new Set(changes.map((change) => structureHash(aStructure(change)))).size).toBe(changes.length);
  });

  it('is found again in the description that HAProxy shows, and in nothing else', () => {
    const text = /description "(.*)"/.exec(renderConfig(aStructure(), []))?.[1] ?? '';
    expect(readDescription(text)).toEqual({ structureHash: structureHash(aStructure()), binds: ['*:12000'] });
    for (const other of ['', 'my proxy', 'cccam-operator', 'cccam-operator XYZ', `x${text}`]) expect(readDescription(other)).toBeNull();
  });
});

describe('the second wall', () => {
  const structures: readonly (readonly [string, (text: string) => Partial<Structure>])[] = [
    ['bind address', (text) => ({ bind: { address: text, port: 1 } })],
    ['port of before', (text) => ({ alsoBind: [{ address: text, port: 1 }] })],
    ['trusted network', (text) => ({ proxyProtocolFrom: [text] })],
    ['algorithm', (text) => ({ algorithm: text as Structure['algorithm'] })],
    ['runtime socket', (text) => ({ sockets: { runtime: text, peers: '/p' } })],
    ['peers socket', (text) => ({ sockets: { runtime: '/r', peers: text } })],
    ['user', (text) => ({ user: { user: text, group: 'g' } })],
    ['group', (text) => ({ user: { user: 'u', group: text } })],
    ['maxconn', (text) => ({ maxConnections: text as unknown as number })],
    ['idle', (text) => ({ idleMs: text as unknown as number })],
    ['stickiness', (text) => ({ stickinessMs: text as unknown as number })],
    ['limits', (text) => ({ perClient: { connections: text as unknown as number, newPer10s: null } })],
  ];
  const servers: readonly (readonly [string, (text: string) => Partial<WantedServer>])[] = [
    ['name', (text) => ({ name: text })],
    ['address', (text) => ({ address: text })],
    ['port', (text) => ({ port: text as unknown as number })],
    ['weight', (text) => ({ weight: text as unknown as number })],
    ['maxconn', (text) => ({ maxConnections: text as unknown as number })],
    ['id', (text) => ({ id: text as unknown as number })],
  ];
  /** Harmless in that one place: plain words that are names of users, groups or servers, and a path that is one. */
  const harmless: Readonly<Record<string, readonly string[]>> = {
    name: ['localhost', 'constructor', 'example.org', '0x7f000001', '2130706433', '127.1', '0177.0.0.1'],
    user: ['localhost', 'constructor', 'a_b'],
    group: ['localhost', 'constructor', 'a_b'],
    'runtime socket': ['/run/admin.sock', '/etc/passwd'],
    'peers socket': ['/run/admin.sock', '/etc/passwd'],
  };

  for (const [place, build] of structures) {
    it(`refuses every hostile string as ${place} of the structure`, () => {
      for (const text of HOSTILE_STRINGS) {
        if (harmless[place]?.includes(text)) continue;
        expect(() => renderConfig(aStructure(build(text)), []), JSON.stringify(text)).toThrow(unsafe);
      }
    });
  }
  for (const [place, build] of servers) {
    it(`refuses every hostile string as ${place} of a server, in the file and on the socket`, () => {
      for (const text of HOSTILE_STRINGS) {
        if (harmless[place]?.includes(text)) continue;
        const server = aServer(1, build(text));
        expect(() => renderConfig(aStructure(), [inService(server)]), JSON.stringify(text)).toThrow(unsafe);
        expect(() => commandText({ kind: 'add', server }), JSON.stringify(text)).toThrow(unsafe);
      }
    });
  }

  it('refuses hostile names in every command', () => {
    for (const name of HOSTILE_STRINGS.filter((text) => !harmless['name']?.includes(text))) {
      expect(() => commandText({ kind: 'add', server: { ...aServer(1), name } })).toThrow(unsafe);
      if (/^[A-Za-z0-9_.:-]{1,300}$/.test(name)) continue; // of HAProxy's own grammar: somebody may have added it by hand
      expect(() => commandText({ kind: 'delete', name })).toThrow(unsafe);
      expect(() => commandText({ kind: 'checks', name, on: true })).toThrow(unsafe);
      expect(() => commandText({ kind: 'health', name, health: 'down' })).toThrow(unsafe);
      expect(() => commandText({ kind: 'state', name, state: 'ready' })).toThrow(unsafe);
      expect(() => commandText({ kind: 'weight', name, weight: 1 })).toThrow(unsafe);
      expect(() => commandText({ kind: 'check-own-address', name, address: '127.0.1.1', port: 1 })).toThrow(unsafe);
    }
  });

  it('takes out a server that was added by hand under a name that we would not give', () => {
    expect(commandText({ kind: 'delete', name: 'Odd_Name' })).toBe('del server servers/Odd_Name');
    expect(() => commandText({ kind: 'delete', name: 'x'.repeat(301) })).toThrow(unsafe);
  });

  it('refuses every hostile string as the address of a client', () => {
    for (const client of HOSTILE_STRINGS.filter((text) => !/^[0-9a-f:]+$|^::ffff:[0-9.]+$/.test(text) || !text.includes(':'))) {
      expect(() => commandText({ kind: 'remember-client', client, id: 1 }), client).toThrow(unsafe);
      expect(() => commandText({ kind: 'client-held', client, sessions: 1 }), client).toThrow(unsafe);
    }
    expect(commandText({ kind: 'client-held', client: '::ffff:192.0.2.7', sessions: 3 })).toBe(
      'set table clients key ::ffff:192.0.2.7 data.gpt0 3',
    );
  });

  it('refuses figures that are none', () => {
    for (const weight of [Number.NaN, Number.POSITIVE_INFINITY, 1.5, -1, 257, -1e300]) {
      expect(() => commandText({ kind: 'weight', name: 'a', weight })).toThrow(unsafe);
    }
    expect(commandText({ kind: 'weight', name: 'a', weight: -0 })).toBe('set server servers/a weight 0');
  });

  it('lets no text at all add a line, a word or a section', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        let rendered: string;
        try {
          rendered = renderConfig(aStructure(), [inService(aServer(1, { name: text }))]);
        } catch {
          return; // refused: nothing was rendered
        }
        expect(parseConfig(rendered).servers.map((server) => server.name)).toEqual([text]);
      }),
      { numRuns: 2_000 },
    );
  });
});
