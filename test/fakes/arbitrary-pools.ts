import fc from 'fast-check';

const seconds = (min: number, max: number) => fc.integer({ min, max }).map((value) => `${value}s`);
const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/);
const address = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 126 }), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.')),
  fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([a, b]) => `fd00:${a.toString(16)}::${b.toString(16).toUpperCase()}`),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const backend = fc.record(
  {
    name: label,
    external: fc.record({ address }),
    port: fc.integer({ min: 1, max: 65_535 }),
    capacity: fc.record(
      {
        cores: fc.integer({ min: 1, max: 64 }),
        cards: fc.integer({ min: 1, max: 64 }),
        latencyMs: fc.integer({ min: 1, max: 500 }),
        maxConnections: fc.integer({ min: 1, max: 5_000 }),
      },
      { requiredKeys: [] },
    ),
    weight: optional(fc.integer({ min: 0, max: 256 })),
    health: optional(fc.record({ mode: optional(fc.constantFrom('Active', 'Passive')) })),
    drain: optional(fc.record({ enabled: fc.boolean(), deadline: seconds(1, 3_600) })),
  },
  { requiredKeys: ['name', 'external', 'port'] },
);

/** Pools that a box accepts, over every field that reaches HAProxy. */
export const arbitraryPool = fc
  .record({
    name: label,
    spec: fc.record({
      port: fc.integer({ min: 1, max: 65_535 }),
      backends: fc.uniqueArray(backend, {
        minLength: 1,
        maxLength: 12,
        comparator: (a, b) =>
          a.name === b.name || (a.external.address.toLowerCase() === b.external.address.toLowerCase() && a.port === b.port),
      }),
      balance: fc.record({
        algorithm: fc.constantFrom('LeastConnections', 'RoundRobin', 'SourceHash', 'Random'),
        stickiness: fc.record({ mode: fc.constantFrom('SourceAddress', 'None'), ttl: seconds(1, 100_000) }),
      }),
      weights: fc.record({ policy: fc.constantFrom('Formula', 'Balanced', 'Equal') }),
      health: fc.record({
        mode: fc.constantFrom('Active', 'Passive'),
        probe: fc.constantFrom('Greeting', 'Connect'),
        interval: seconds(5, 600),
        fastInterval: seconds(1, 5),
        timeout: seconds(1, 60),
        fall: fc.integer({ min: 1, max: 20 }),
        rise: fc.integer({ min: 1, max: 20 }),
        onDown: fc.constantFrom('CloseSessions', 'KeepSessions'),
      }),
      timeouts: fc.record({ connect: seconds(1, 60), idle: seconds(60, 100_000) }),
      limits: fc.record({
        perClient: fc.record(
          { connections: fc.integer({ min: 1, max: 1_000 }), newPer10s: fc.integer({ min: 1, max: 1_000 }) },
          { requiredKeys: [] },
        ),
      }),
      drain: fc.record({
        deadline: seconds(1, 3_600),
        onDeadline: fc.constantFrom('Close', 'Keep'),
        closePerSecond: fc.integer({ min: 1, max: 100 }),
      }),
      proxy: fc.record({
        maxConnections: fc.integer({ min: 10, max: 2_000 }),
        proxyProtocol: optional(
          fc.record({ from: fc.array(fc.constantFrom('10.0.0.0/8', 'FD00::/8', '192.0.2.7'), { minLength: 1, maxLength: 3 }) }),
        ),
      }),
    }),
    backups: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  })
  .map(({ name, spec, backups }) => ({
    apiVersion: 'cccam.dev/v1alpha1',
    kind: 'CccamPool',
    metadata: { name },
    spec: {
      ...spec,
      backends: spec.backends.map((each, index) => ({ ...each, role: index > 0 && backups[index] === true ? 'Backup' : 'Active' })),
    },
  }));
