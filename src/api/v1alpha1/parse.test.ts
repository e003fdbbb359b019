import { describe, expect, it } from 'vitest';
import { HOSTILE_STRINGS } from '../../../test/fakes/hostile-strings.ts';
import { aBackend, poolObject } from '../../../test/fakes/pools.ts';
import { pathText } from './issue.ts';
import { PoolInvalidError, parsePool } from './parse.ts';
import type { Environment } from './pool-rules.ts';

/** Fields of the issues that a pool is refused with. */
function refusal(data: unknown, environment: Environment = 'standalone'): { code: string; fields: string[]; messages: string[] } {
  try {
    parsePool(data, environment);
  } catch (thrown) {
    if (!(thrown instanceof PoolInvalidError)) throw thrown;
    return {
      code: thrown.code,
      fields: thrown.issues.map((issue) => pathText(issue.path)),
      messages: thrown.issues.map((issue) => issue.message),
    };
  }
  return { code: 'accepted', fields: [], messages: [] };
}

const one = aBackend('one', '127.0.1.1');
const managed = { name: 'rack', podTemplate: {} };

/** What is wrong, the object, and the field that must be named. */
const BAD_OBJECTS: readonly (readonly [string, unknown, string])[] = [
  ['nothing', null, 'pool'],
  ['a text', 'pool', 'pool'],
  ['a list', [], 'pool'],
  ['another API version', { ...poolObject(), apiVersion: 'cccam.dev/v1' }, 'apiVersion'],
  ['another kind', { ...poolObject(), kind: 'Pool' }, 'kind'],
  ['no metadata', { ...poolObject(), metadata: undefined }, 'metadata'],
  ['no name', { ...poolObject(), metadata: {} }, 'metadata.name'],
  ['a name that is too long', poolObject({}, 'a'.repeat(41)), 'metadata.name'],
  ['a name with a capital', poolObject({}, 'Living'), 'metadata.name'],
  ['no spec', { ...poolObject(), spec: undefined }, 'spec'],
  ['an unknown field at the top', { ...poolObject(), extra: 1 }, 'extra'],
  ['an unknown field in the spec', poolObject({ colour: 'red' }), 'spec.colour'],
  ['a misspelt field', poolObject({ timeouts: { idel: '30m' } }), 'spec.timeouts.idel'],
  ['a raw configuration', poolObject({ config: 'global' }), 'spec.config'],
  ['port 0', poolObject({ port: 0 }), 'spec.port'],
  ['port 65536', poolObject({ port: 65_536 }), 'spec.port'],
  ['a negative port', poolObject({ port: -1 }), 'spec.port'],
  ['a fraction as port', poolObject({ port: 1.5 }), 'spec.port'],
  ['a text as port', poolObject({ port: '12000' }), 'spec.port'],
  ['a port in hexadecimal', poolObject({ port: '0x50' }), 'spec.port'],
  ['NaN as port', poolObject({ port: Number.NaN }), 'spec.port'],
  ['infinity as port', poolObject({ port: Number.POSITIVE_INFINITY }), 'spec.port'],
  ['no backends', poolObject({ backends: undefined }), 'spec.backends'],
  ['an empty list of backends', poolObject({ backends: [] }), 'spec.backends'],
  ['backends as a map', poolObject({ backends: { one } }), 'spec.backends'],
  ['129 backends', poolObject({ backends: Array.from({ length: 129 }, (_, i) => aBackend(`b${i}`, `10.0.0.${i + 1}`)) }), 'spec.backends'],
  ['a backend without a name', poolObject({ backends: [{ external: { address: '10.0.0.1' } }] }), 'spec.backends[0].name'],
  ['a backend whose name is too long', poolObject({ backends: [aBackend('a'.repeat(33), '10.0.0.1')] }), 'spec.backends[0].name'],
  ['two backends with one name', poolObject({ backends: [one, aBackend('one', '127.0.1.2')] }), 'spec.backends[1].name'],
  [
    'two backends with one address and port',
    poolObject({ backends: [one, aBackend('two', '127.0.1.1')] }),
    'spec.backends[1].external.address',
  ],
  [
    'two spellings of one address',
    poolObject({ backends: [aBackend('a', 'fd00::1'), aBackend('b', 'FD00:0::0001')] }),
    'spec.backends[1].external.address',
  ],
  ['neither external nor managed', poolObject({ backends: [{ name: 'one' }] }), 'spec.backends[0]'],
  ['both external and replicas', poolObject({ backends: [{ ...one, replicas: 2 }] }), 'spec.backends[0].replicas'],
  ['both external and podTemplate', poolObject({ backends: [{ ...one, podTemplate: {} }] }), 'spec.backends[0].podTemplate'],
  ['a drain on a managed backend', poolObject({ backends: [one, { ...managed, drain: { enabled: true } }] }), 'spec.backends[1].drain'],
  ['external without an address', poolObject({ backends: [{ name: 'one', external: {} }] }), 'spec.backends[0].external.address'],
  [
    'a number as address',
    poolObject({ backends: [{ name: 'one', external: { address: 2_130_706_433 } }] }),
    'spec.backends[0].external.address',
  ],
  ['a host name as address', poolObject({ backends: [aBackend('one', 'example.org')] }), 'spec.backends[0].external.address'],
  ['the unspecified address', poolObject({ backends: [aBackend('one', '0.0.0.0')] }), 'spec.backends[0].external.address'],
  ['the unspecified IPv6 address', poolObject({ backends: [aBackend('one', '::')] }), 'spec.backends[0].external.address'],
  ['a link-local address', poolObject({ backends: [aBackend('one', '169.254.169.254')] }), 'spec.backends[0].external.address'],
  ['a link-local IPv6 address', poolObject({ backends: [aBackend('one', 'fe80::1')] }), 'spec.backends[0].external.address'],
  ['a multicast address', poolObject({ backends: [aBackend('one', '224.0.0.1')] }), 'spec.backends[0].external.address'],
  ['a multicast IPv6 address', poolObject({ backends: [aBackend('one', 'ff02::1')] }), 'spec.backends[0].external.address'],
  ['the broadcast address', poolObject({ backends: [aBackend('one', '255.255.255.255')] }), 'spec.backends[0].external.address'],
  ['an IPv4-mapped address', poolObject({ backends: [aBackend('one', '::ffff:10.0.0.1')] }), 'spec.backends[0].external.address'],
  [
    'an IPv4-mapped address in hexadecimal',
    poolObject({ backends: [aBackend('one', '::ffff:a00:1')] }),
    'spec.backends[0].external.address',
  ],
  ['a port in the address', poolObject({ backends: [aBackend('one', '10.0.0.1:80')] }), 'spec.backends[0].external.address'],
  [
    'an unknown field in external',
    poolObject({ backends: [{ name: 'one', external: { address: '10.0.0.1', host: 'x' } }] }),
    'spec.backends[0].external.host',
  ],
  ['a backend port of 0', poolObject({ backends: [{ ...one, port: 0 }] }), 'spec.backends[0].port'],
  ['zero cores', poolObject({ backends: [{ ...one, capacity: { cores: 0 } }] }), 'spec.backends[0].capacity.cores'],
  ['half a core', poolObject({ backends: [{ ...one, capacity: { cores: 0.5 } }] }), 'spec.backends[0].capacity.cores'],
  ['negative cards', poolObject({ backends: [{ ...one, capacity: { cards: -4 } }] }), 'spec.backends[0].capacity.cards'],
  ['no latency at all', poolObject({ backends: [{ ...one, capacity: { latencyMs: 0 } }] }), 'spec.backends[0].capacity.latencyMs'],
  ['a latency as text', poolObject({ backends: [{ ...one, capacity: { latencyMs: '10ms' } }] }), 'spec.backends[0].capacity.latencyMs'],
  [
    'too many connections',
    poolObject({ backends: [{ ...one, capacity: { maxConnections: 1e300 } }] }),
    'spec.backends[0].capacity.maxConnections',
  ],
  ['weight 257', poolObject({ backends: [{ ...one, weight: 257 }] }), 'spec.backends[0].weight'],
  ['weight -1', poolObject({ backends: [{ ...one, weight: -1 }] }), 'spec.backends[0].weight'],
  ['weight 1.5', poolObject({ backends: [{ ...one, weight: 1.5 }] }), 'spec.backends[0].weight'],
  ['a weight as text', poolObject({ backends: [{ ...one, weight: '10' }] }), 'spec.backends[0].weight'],
  ['an unknown role', poolObject({ backends: [{ ...one, role: 'Standby' }] }), 'spec.backends[0].role'],
  ['only Backup servers', poolObject({ backends: [{ ...one, role: 'Backup' }] }), 'spec.backends'],
  [
    'a drain that is neither true nor false',
    poolObject({ backends: [{ ...one, drain: { enabled: 'yes' } }] }),
    'spec.backends[0].drain.enabled',
  ],
  [
    'a drain deadline without a unit',
    poolObject({ backends: [{ ...one, drain: { enabled: true, deadline: '10' } }] }),
    'spec.backends[0].drain.deadline',
  ],
  ['-1 replicas', poolObject({ backends: [one, { ...managed, replicas: -1 }] }), 'spec.backends[1].replicas'],
  ['a text as podTemplate', poolObject({ podTemplate: 'x' }), 'spec.podTemplate'],
  ['an unknown algorithm', poolObject({ balance: { algorithm: 'leastconn' } }), 'spec.balance.algorithm'],
  ['an unknown stickiness', poolObject({ balance: { stickiness: { mode: 'Cookie' } } }), 'spec.balance.stickiness.mode'],
  ['a stickiness for ever', poolObject({ balance: { stickiness: { ttl: '999999999h' } } }), 'spec.balance.stickiness.ttl'],
  ['an unknown weight policy', poolObject({ weights: { policy: 'Magic' } }), 'spec.weights.policy'],
  ['a step of 0 percent', poolObject({ weights: { adaptive: { maxStepPercent: 0 } } }), 'spec.weights.adaptive.maxStepPercent'],
  ['an unknown probe', poolObject({ health: { probe: 'Login' } }), 'spec.health.probe'],
  ['a check every millisecond', poolObject({ health: { interval: '1ms' } }), 'spec.health.interval'],
  ['a fast interval above the interval', poolObject({ health: { interval: '1s', fastInterval: '2s' } }), 'spec.health.fastInterval'],
  ['a negative interval', poolObject({ health: { interval: '-1s' } }), 'spec.health.interval'],
  ['an interval with a fraction', poolObject({ health: { interval: '1.5s' } }), 'spec.health.interval'],
  ['an interval in two units', poolObject({ health: { interval: '1m30s' } }), 'spec.health.interval'],
  ['an interval as a number', poolObject({ health: { interval: 10 } }), 'spec.health.interval'],
  ['a fall of 0', poolObject({ health: { fall: 0 } }), 'spec.health.fall'],
  ['a rise of 21', poolObject({ health: { rise: 21 } }), 'spec.health.rise'],
  ['an unknown onDown', poolObject({ health: { onDown: 'Panic' } }), 'spec.health.onDown'],
  ['an idle time below a minute', poolObject({ timeouts: { idle: '59s' } }), 'spec.timeouts.idle'],
  ['an idle time of 0', poolObject({ timeouts: { idle: '0s' } }), 'spec.timeouts.idle'],
  ['a connect time of an hour', poolObject({ timeouts: { connect: '1h' } }), 'spec.timeouts.connect'],
  ['no connections per client', poolObject({ limits: { perClient: { connections: 0 } } }), 'spec.limits.perClient.connections'],
  ['an unknown limit', poolObject({ limits: { perServer: {} } }), 'spec.limits.perServer'],
  ['an endless drain', poolObject({ drain: { deadline: '0s' } }), 'spec.drain.deadline'],
  ['an unknown end of a drain', poolObject({ drain: { onDeadline: 'Kill' } }), 'spec.drain.onDeadline'],
  ['a pace of 0', poolObject({ drain: { closePerSecond: 0 } }), 'spec.drain.closePerSecond'],
  ['an unknown rollout', poolObject({ rollout: { strategy: 'Recreate' } }), 'spec.rollout.strategy'],
  ['no proxies', poolObject({ proxy: { replicas: 0 } }), 'spec.proxy.replicas'],
  ['a proxy for 1 connection', poolObject({ proxy: { maxConnections: 1 } }), 'spec.proxy.maxConnections'],
  ['an image with a line end', poolObject({ proxy: { image: 'haproxy:3\n  securityContext: x' } }), 'spec.proxy.image'],
  ['an unknown type of Service', poolObject({ proxy: { service: { type: 'ExternalName' } } }), 'spec.proxy.service.type'],
  ['a node port above all', poolObject({ proxy: { service: { nodePort: 70_000 } } }), 'spec.proxy.service.nodePort'],
  ['a success of 101 percent', poolObject({ ecm: { minSuccessPercent: 101 } }), 'spec.ecm.minSuccessPercent'],
];

describe('parsePool', () => {
  it('fills in every default of the reference', () => {
    const { pool, warnings } = parsePool(poolObject(), 'standalone');
    expect(warnings).toEqual([]);
    expect(pool.spec).toMatchObject({
      port: 12_000,
      balance: { algorithm: 'LeastConnections', stickiness: { mode: 'SourceAddress', ttl: '1h' } },
      weights: { policy: 'Formula', adaptive: { enabled: false } },
      health: { probe: 'Greeting', interval: '10s', fastInterval: '1s', timeout: '2s', fall: 3, rise: 2, onDown: 'CloseSessions' },
      timeouts: { connect: '10s', idle: '30m' },
      drain: { deadline: '30m', onDeadline: 'Close', closePerSecond: 20 },
      proxy: { replicas: 2, maxConnections: 10_000 },
    });
    expect(pool.spec.ecm).toBeUndefined();
    expect(pool.spec.limits).toBeUndefined();
  });

  it('has at least sixty bad objects to refuse', () => {
    expect(BAD_OBJECTS.length).toBeGreaterThanOrEqual(60);
  });

  it.each(BAD_OBJECTS)('refuses %s and names the field', (_what, data, field) => {
    const { code, fields, messages } = refusal(data);
    expect(code).toBe('CCP_POOL_INVALID');
    expect(fields).toContain(field);
    for (const message of messages) expect(message).toMatch(/expected|unknown field/);
  });

  it('names every issue at once, not only the first', () => {
    const { fields } = refusal(poolObject({ port: 0, health: { fall: 0 }, timeouts: { idle: '1s' } }));
    expect(fields).toEqual(['spec.port', 'spec.health.fall', 'spec.timeouts.idle']);
  });

  it('takes any port for clients in a cluster: it is the Service’s, and not that of a pod', () => {
    expect(refusal(poolObject({ port: 9_321, backends: [aBackend('one', '192.0.2.1')] }), 'cluster').code).toBe('accepted');
  });

  it('allows loopback on a box and refuses it in a cluster', () => {
    expect(refusal(poolObject(), 'standalone').code).toBe('accepted');
    expect(refusal(poolObject(), 'cluster').fields).toEqual(['spec.backends[0].external.address']);
    expect(refusal(poolObject({ backends: [aBackend('one', '::1')] }), 'cluster').fields).toEqual(['spec.backends[0].external.address']);
  });

  it('asks a managed backend in a cluster for a pod template', () => {
    expect(refusal(poolObject({ backends: [{ name: 'rack', replicas: 2 }] }), 'cluster').fields).toEqual(['spec.backends[0]']);
    expect(refusal(poolObject({ backends: [{ name: 'rack', replicas: 2 }], podTemplate: { spec: {} } }), 'cluster').code).toBe('accepted');
  });

  it.each([
    ['ecm', poolObject({ ecm: {} }), 'spec.ecm'],
    ['adaptive weights', poolObject({ weights: { adaptive: { enabled: true } } }), 'spec.weights.adaptive.enabled'],
    ['a managed backend on a box', poolObject({ backends: [one, managed] }), 'spec.backends[1]'],
  ])('says clearly that %s is not there yet', (_what, data, field) => {
    expect(refusal(data)).toMatchObject({ code: 'CCP_POOL_UNSUPPORTED', fields: [field] });
  });

  it.each([
    ['an idle time that cuts quiet viewers', poolObject({ timeouts: { idle: '2m' } }), 'spec.timeouts.idle'],
    ['a pool that nobody can connect to', poolObject({ backends: [{ ...one, weight: 0 }] }), 'spec.backends'],
    ['settings that only a cluster has', poolObject({ proxy: { replicas: 3 } }), 'spec.proxy.replicas'],
  ])('warns about %s', (_what, data, field) => {
    expect(parsePool(data, 'standalone').warnings.map((issue) => pathText(issue.path))).toEqual([field]);
  });

  it('hands on addresses in their one canonical spelling', () => {
    const { pool } = parsePool(poolObject({ backends: [aBackend('one', 'FD00:0:0::0001')] }), 'standalone');
    expect(pool.spec.backends[0]?.external?.address).toBe('fd00::1');
  });
});

describe('hostile strings', () => {
  const isLabel = (text: string): boolean => ['localhost', 'constructor', '0x7f000001', '2130706433'].includes(text); // ordinary names, and harmless as such
  const PLACES: readonly (readonly [string, (text: string) => unknown])[] = [
    ['metadata.name', (text) => poolObject({}, text)],
    ['a backend name', (text) => poolObject({ backends: [aBackend(text, '10.0.0.1')] })],
    ['an address', (text) => poolObject({ backends: [aBackend('one', text)] })],
    ['a duration', (text) => poolObject({ health: { interval: text } })],
    ['a drain deadline', (text) => poolObject({ backends: [{ ...one, drain: { enabled: true, deadline: text } }] })],
    ['an enum', (text) => poolObject({ balance: { algorithm: text } })],
    ['a number', (text) => poolObject({ port: text })],
    ['a key of the spec', (text) => poolObject(JSON.parse(`{${JSON.stringify(text)}: 1}`) as Record<string, unknown>)],
  ];
  for (const [place, build] of PLACES) {
    it(`are refused as ${place}, and shown without a raw byte`, () => {
      for (const text of HOSTILE_STRINGS) {
        if (place.endsWith('name') && isLabel(text)) continue;
        const { code, fields, messages } = refusal(build(text));
        expect(code, JSON.stringify(text)).toBe('CCP_POOL_INVALID');
        for (const shown of [...fields, ...messages]) expect(shown).not.toMatch(/[^\x20-\x7e√÷×⅛]/);
      }
    });
  }

  it('cannot be slipped in through a prototype', () => {
    const data = JSON.parse(
      '{"apiVersion":"cccam.dev/v1alpha1","kind":"CccamPool","metadata":{"name":"x"},"__proto__":{"spec":{"backends":[]}}}',
    ) as unknown;
    expect(refusal(data).code).toBe('CCP_POOL_INVALID');
    expect(({} as Record<string, unknown>)['spec']).toBeUndefined();
  });
});
