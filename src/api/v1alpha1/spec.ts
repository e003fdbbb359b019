import * as z from 'zod';
import { backend, healthMode, podTemplate } from './backend-spec.ts';
import { celRules, duration, integer, oneOf, port } from './grammar.ts';
import { proxy } from './proxy-spec.ts';

const stickiness = z
  .strictObject({
    mode: oneOf(['SourceAddress', 'None'], 'SourceAddress brings a client back to the server that it had.').default('SourceAddress'),
    ttl: duration('1s', '168h', 'How long a client that is gone is remembered.').default('1h'),
  })
  .prefault({});

const balance = z
  .strictObject({
    algorithm: oneOf(['LeastConnections', 'RoundRobin', 'SourceHash', 'Random'], 'How a new session finds its server.').default(
      'LeastConnections',
    ),
    stickiness,
  })
  .prefault({})
  .meta({ description: 'How sessions are spread over the servers.' });

const weights = z
  .strictObject({
    policy: oneOf(
      ['Formula', 'Balanced', 'Equal'],
      'Formula: cores × cards ÷ latency. Balanced: √(cores × cards) ÷ latency^⅛. Equal: all the same.',
    ).default('Formula'),
    adaptive: z
      .strictObject({
        enabled: z
          .boolean({ error: 'expected true or false' })
          .default(false)
          .meta({ description: 'Whether weights follow measured answer times.' }),
        maxStepPercent: integer(1, 50, 'Largest change of a weight in one window, in percent.').default(20),
      })
      .prefault({}),
  })
  .prefault({})
  .meta({ description: 'How weights are found.' });

const health = z
  .strictObject({
    mode: healthMode.default('Active'),
    probe: oneOf(['Greeting', 'Connect'], 'Greeting: the server must send its 16 bytes. Connect: an open port is enough.').default(
      'Greeting',
    ),
    interval: duration('1s', '10m', 'Time between two checks of a server.').default('10s'),
    fastInterval: duration('100ms', '10m', 'Time between two checks while the state is changing.').default('1s'),
    timeout: duration('100ms', '1m', 'How long a server may take to accept a connection and to greet.').default('2s'),
    fall: integer(1, 20, 'Failed checks in a row that take a server out.').default(3),
    rise: integer(1, 20, 'Good checks in a row that bring it back.').default(2),
    onDown: oneOf(
      ['CloseSessions', 'KeepSessions'],
      'What becomes of the sessions of a server that hangs: silent to new connections and on its own sessions. No other server is emptied.',
    ).default('CloseSessions'),
  })
  .prefault({})
  .meta({ description: 'How servers are checked.' });

const ecm = z
  .strictObject({
    window: duration('10s', '1h', 'Time over which answers are averaged.').default('5m'),
    degradedAboveMs: integer(1, 60_000, 'Average answer time above which a server is degraded, in milliseconds.').default(500),
    minSuccessPercent: integer(0, 100, 'Share of answered requests below which a server is degraded, in percent.').default(95),
    minSamples: integer(1, 1_000_000, 'Answers that a window needs to be judged.').default(20),
    action: oneOf(['ReduceWeight', 'Drain', 'None'], 'What is done with a degraded server.').default('ReduceWeight'),
    maxDegradedPercent: integer(0, 100, 'Share of the capacity that may be treated as degraded at once, in percent.').default(50),
  })
  .meta({ description: 'Watches answer times and success; off unless set.' });

const timeouts = z
  .strictObject({
    connect: duration('100ms', '1m', 'How long a connection to a server may take.').default('10s'),
    idle: duration(
      '60s',
      '168h',
      'Silence after which a session is closed. Below 5m clients without keepalives are cut while they watch.',
    ).default('30m'),
  })
  .prefault({})
  .meta({ description: 'Time limits of sessions.' });

const limits = z
  .strictObject({
    perClient: z
      .strictObject({
        connections: integer(1, 100_000, 'Sessions at once from one address.').optional(),
        newPer10s: integer(1, 100_000, 'New sessions in ten seconds from one address.').optional(),
      })
      .optional(),
  })
  .meta({ description: 'Limits per client address; off unless set.' });

const drain = z
  .strictObject({
    deadline: duration('1s', '168h', 'How long a drain may take. Keepalives make sessions immortal, so a drain needs an end.').default(
      '30m',
    ),
    onDeadline: oneOf(['Close', 'Keep'], 'What becomes of the sessions that are left at the deadline.').default('Close'),
    closePerSecond: integer(
      1,
      10_000,
      'Sessions closed per second at the deadline, so that their clients do not all return at once.',
    ).default(20),
  })
  .prefault({})
  .meta({ description: 'How servers are drained.' });

const rollout = z
  .strictObject({
    maxUnavailableBackends: integer(1, 128, 'Backends whose pods may be replaced at the same time.').default(1),
    strategy: oneOf(
      ['Replace', 'Surge'],
      'Replace: the old pod goes first. Surge: the new pod comes first; only where two pods may share the cards.',
    ).default('Replace'),
  })
  .prefault({})
  .meta({ description: 'How changed pod templates are rolled out.' });

/** Schema of `spec`: the only source of its types, defaults, CRD and reference. */
export const poolSpec = z
  .strictObject({
    port: port('Port where clients connect.').default(12_000),
    backends: z
      .array(backend, { error: 'expected a list of backends' })
      .min(1, { error: 'expected at least one backend' })
      .max(128, { error: 'expected at most 128 backends' })
      .meta({ description: 'The servers of the pool.', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
    podTemplate: podTemplate('every managed backend without one of its own').optional(),
    balance,
    weights,
    health,
    ecm: ecm.optional(),
    timeouts,
    limits: limits.optional(),
    drain,
    rollout,
    proxy,
  })
  .meta({
    ...celRules(
      {
        rule: 'has(self.podTemplate) || self.backends.all(b, has(b.external) || has(b.podTemplate))',
        message: "a managed backend needs a podTemplate, its own or the pool's",
      },
      { rule: "self.backends.exists(b, b.role == 'Active')", message: 'expected at least one backend with role Active' },
      {
        rule: 'duration(self.health.fastInterval) <= duration(self.health.interval)',
        message: 'expected health.fastInterval to be at most health.interval',
      },
    ),
  });

/** A pool's spec with every default filled in. */
export type PoolSpec = z.output<typeof poolSpec>;
/** A pool's spec as a person writes it. */
export type PoolSpecInput = z.input<typeof poolSpec>;
/** One backend of a spec. */
export type BackendSpec = PoolSpec['backends'][number];
/** What a backend says that it can do. */
export type Capacity = NonNullable<BackendSpec['capacity']>;
/** How weights are computed. */
export type WeightPolicy = PoolSpec['weights']['policy'];
/** Whether a backend serves always, or only when no Active one does. */
export type Role = BackendSpec['role'];
