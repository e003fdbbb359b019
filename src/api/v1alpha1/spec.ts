import * as z from 'zod';
import { readAddress, readNetwork } from '../../runtime/server-address.ts';
import { celRules, duration, integer, label, oneOf } from './grammar.ts';

/** An object of Kubernetes' own that is handed through as it is; the API server checks it where it is used. */
function passThrough(description: string) {
  return z
    .record(z.string(), z.unknown(), { error: 'expected an object' })
    .meta({ description, 'x-kubernetes-preserve-unknown-fields': true });
}

const port = (description: string) => integer(1, 65_535, description);

const address = z
  .string({ error: 'expected an IPv4 or IPv6 address' })
  .max(45, { error: 'expected an IPv4 or IPv6 address' })
  .superRefine((text, context) => {
    const reading = readAddress(text, { loopback: true }); // loopback depends on where the pool runs: parse.ts decides
    if (reading.kind === 'refused') context.addIssue({ code: 'custom', message: reading.expected });
  })
  .meta({
    description:
      'IPv4 or IPv6 address of the server. Link-local, multicast and unspecified addresses are refused, names too; in a cluster loopback as well.',
    ...celRules({
      rule: 'isIP(self) && ip(self).isGlobalUnicast()',
      message: 'expected a unicast IPv4 or IPv6 address, not loopback or link-local',
    }),
  });

const network = z
  .string({ error: 'expected a network such as 10.0.0.0/8' })
  .max(49, { error: 'expected a network such as 10.0.0.0/8' })
  .superRefine((text, context) => {
    const reading = readNetwork(text);
    if (reading.kind === 'refused') context.addIssue({ code: 'custom', message: reading.expected });
  })
  .meta({
    description: 'A network such as 10.0.0.0/8, or one address.',
    ...celRules({ rule: 'isCIDR(self) || isIP(self)', message: 'expected a network such as 10.0.0.0/8' }),
  });

const capacity = z
  .strictObject({
    cores: integer(1, 1_024, 'CPU cores of the server.').optional(),
    cards: integer(1, 1_024, 'Cards that the server reads.').optional(),
    latencyMs: integer(1, 60_000, 'Milliseconds from the server to its cards.').optional(),
    maxConnections: integer(1, 1_000_000, 'Sessions that the server can hold at once; the default follows the weights.').optional(),
  })
  .meta({ description: 'What the server can do; a missing figure counts as the median of the others, or 1.' });

const backendDrain = z
  .strictObject({
    enabled: z
      .boolean({ error: 'expected true or false' })
      .default(false)
      .meta({ description: 'Whether the server is being drained: no new sessions, old ones stay.' }),
    deadline: duration('1s', '168h', "How long the drain may take; the default is the pool's.").optional(),
  })
  .meta({ description: 'Drains an external server; pods are drained by annotation.' });

const podTemplate = (whose: string) => passThrough(`Pod template of ${whose}, as in a Deployment.`);

const healthMode = oneOf(
  ['Active', 'Passive'],
  'Active: servers are checked. Passive: no connection is made but for clients, and what they meet decides; for servers that punish frequent connections.',
);

const backend = z
  .strictObject({
    name: label(32, 'Name of the backend, unique in the pool.'),
    replicas: integer(0, 100, 'Pods of a managed backend; leave it out where an autoscaler owns the count.').optional(),
    external: z
      .strictObject({ address })
      .optional()
      .meta({ description: 'A server that runs elsewhere; leave it out for a managed backend.' }),
    port: port('CCcam port of the server or of the container.').default(12_000),
    capacity: capacity.optional(),
    weight: integer(0, 256, 'Explicit weight; overrides the formula. 0 takes no new sessions.').optional(),
    role: oneOf(['Active', 'Backup'], 'Backup servers take sessions only while no Active server is up.').default('Active'),
    drain: backendDrain.optional(),
    health: z
      .strictObject({ mode: healthMode.optional() })
      .optional()
      .meta({ description: "How the servers of this backend are checked; the default is the pool's." }),
    podTemplate: podTemplate('this backend').optional(),
  })
  .meta({
    ...celRules(
      {
        rule: '!has(self.external) || (!has(self.replicas) && !has(self.podTemplate))',
        message: 'expected either external or replicas and podTemplate, not both',
      },
      { rule: 'has(self.external) || !has(self.drain)', message: 'drain is for external backends; annotate the pods of a managed one' },
    ),
  });

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

const service = z
  .strictObject({
    type: oneOf(['LoadBalancer', 'NodePort', 'ClusterIP'], 'Type of the Service.').default('LoadBalancer'),
    nodePort: integer(1, 65_535, 'Fixed node port.').optional(),
    externalTrafficPolicy: oneOf(
      ['Local', 'Cluster'],
      'Local: clients keep their addresses, and only nodes with a proxy answer. Cluster: every node answers, and clients share its address.',
    ).default('Local'),
    sessionAffinity: oneOf(
      ['None', 'ClientIP'],
      'ClientIP: the cluster sends a client back to the proxy that it had. Some cloud providers refuse a LoadBalancer with it.',
    ).default('None'),
    annotations: z.record(z.string().max(317), z.string().max(4_096)).optional().meta({ description: 'Annotations of the Service.' }),
    loadBalancerClass: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/)
      .optional()
      .meta({ description: 'Class of the load balancer.' }),
  })
  .prefault({});

const proxy = z
  .strictObject({
    replicas: integer(1, 20, 'Proxies in front of the servers.').default(2),
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, { error: 'expected an image reference' })
      .optional()
      .meta({ description: 'HAProxy image; 3.0 or newer.' }),
    maxConnections: integer(10, 1_000_000, 'Sessions that one proxy can hold.').default(10_000),
    proxyProtocol: z
      .strictObject({
        from: z
          .array(network, { error: 'expected a list of networks' })
          .min(1, { error: 'expected at least one network' })
          .max(64, { error: 'expected at most 64 networks' })
          .meta({ description: "Networks of the load balancers; nobody else's header is believed." }),
      })
      .optional()
      .meta({
        description:
          'Load balancers that say who their client is by the PROXY protocol (version 1 or 2): their connections must begin with it. Off unless set.',
      }),
    resources: passThrough('Resources of the HAProxy container.').optional(),
    service,
    nodeSelector: z.record(z.string().max(317), z.string().max(63)).optional().meta({ description: 'Nodes that may run a proxy.' }),
    tolerations: z.array(passThrough('A toleration.')).max(32).optional(),
    affinity: passThrough('Affinity of the proxies.').optional(),
    topologySpreadConstraints: z.array(passThrough('A spread constraint.')).max(8).optional(),
    priorityClassName: label(253, 'Priority class of the proxies.').optional(),
  })
  .prefault({})
  .meta({ description: 'The proxies.' });

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
export type BackendSpec = PoolSpec['backends'][number];
export type Capacity = NonNullable<BackendSpec['capacity']>;
export type WeightPolicy = PoolSpec['weights']['policy'];
export type Role = BackendSpec['role'];
