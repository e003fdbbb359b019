import { systemClock } from '../../../src/runtime/clock.ts';
import { throughout, until } from '../../support/until.ts';
import type { TestBox } from '../box.ts';
import { type Effect, firstServerState, ofBackend, ofPool, runsWith, says } from './effect.ts';

type Spec = Record<string, unknown>;

/** Two servers whose capacities say the same. */
const CAPACITY = { cores: 2, cards: 2, latencyMs: 20 };
const alike =
  (first: Spec) =>
  (box: TestBox): Spec => ({
    backends: [box.backend(1, { capacity: { ...CAPACITY, ...first } }), box.backend(2, { capacity: CAPACITY })],
  });
const ofCapacity = (change: Spec): Pick<Effect, 'base' | 'change'> => ({ base: alike({}), change: alike(change) });

const state = (box: TestBox): string | undefined => box.serverStatus(1)?.state;

async function becomes(box: TestBox, wanted: string, limitMs: number): Promise<void> {
  await until(
    `it is ${wanted}`,
    () => state(box) === wanted,
    limitMs,
    () => [box.status, box.news.slice(-20)],
  );
}

/** The first server dies, is found down, and listens again. */
async function isBack(box: TestBox): Promise<void> {
  await box.server(1).kill();
  await becomes(box, 'Down', 60_000);
  await box.server(1).listen();
}

/** Sessions are held, and then the first server is drained. */
function draining(drain: Spec, ofServer: Spec = {}): Pick<Effect, 'base' | 'before'> {
  const base = (box: TestBox): Spec => ({
    drain,
    backends: [box.backend(1, { drain: { enabled: true, ...ofServer } }), box.backend(2)],
  });
  return {
    base,
    async before(box) {
      await box.save({ drain, backends: box.backends(1, 2) });
      await becomes(box, 'Up', 10_000);
      await box.heldSessions(24);
      await box.save(base(box));
      await becomes(box, 'Draining', 10_000);
    },
  };
}

const isEmpty = { seen: (box: TestBox) => box.server(1).sessions === 0 };
const isUp = { seen: (box: TestBox) => state(box) === 'Up' };

/** Connections to the first server in some seconds. */
async function connections(box: TestBox): Promise<number> {
  const before = box.server(1).accepted;
  await systemClock.sleep(3_500);
  return box.server(1).accepted - before;
}

const asksNobody = { seen: async (box: TestBox) => (await connections(box)) === 0, withinMs: 20_000 };

/** Each field of a pool that has an effect on HAProxy or on its sessions. */
export const EFFECTS: Readonly<Record<string, Effect>> = {
  port: { change: (box) => ({ port: box.otherPort }), ...runsWith((box) => new RegExp(`bind \\S+:${box.otherPort}\\b`)) },
  'backends[].name': {
    ...ofBackend({ name: 'other' }),
    ...says('show servers state servers', (box) => new RegExp(` other-${box.server(1).host}:`)),
  },
  'backends[].external.address': {
    change: (box) => ({ backends: [box.backend(1, { external: { address: box.server(3).host } }), box.backend(2)] }),
    ...says('show servers state servers', (box) => new RegExp(` s1-${box.server(3).host}:`)),
  },
  'backends[].port': {
    ...ofBackend({ port: 12_002 }),
    ...says('show servers state servers', (box) => new RegExp(` s1-${box.server(1).host}:12002 `)),
  },
  'backends[].capacity.cores': { ...ofCapacity({ cores: 1 }), ...firstServerState('4', '128') },
  'backends[].capacity.cards': { ...ofCapacity({ cards: 1 }), ...firstServerState('4', '128') },
  'backends[].capacity.latencyMs': { ...ofCapacity({ latencyMs: 40 }), ...firstServerState('4', '128') },
  'backends[].capacity.maxConnections': {
    ...ofBackend({ capacity: { maxConnections: 77 } }),
    ...says('show stat servers 4 -1', (box) => new RegExp(`servers,${box.nameOf(1)},(?:[^,]*,){4}77,`)),
  },
  'backends[].weight': { ...ofBackend({ weight: 13 }), ...firstServerState('4', '13') },
  'backends[].role': {
    ...ofBackend({ role: 'Backup' }),
    ...says('show stat servers 4 -1', (box) => new RegExp(`servers,${box.nameOf(1)},(?:[^,]*,){18}1,`)),
    withinMs: 40_000,
  },
  'backends[].drain.enabled': { ...ofBackend({ drain: { enabled: true } }), ...firstServerState('12', '\\d+') },
  'backends[].drain.deadline': {
    ...draining({ deadline: '1h' }),
    change: (box) => ({
      drain: { deadline: '1h' },
      backends: [box.backend(1, { drain: { enabled: true, deadline: '1s' } }), box.backend(2)],
    }),
    ...isEmpty,
  },
  'backends[].health.mode': {
    base: (box) => ({ health: { interval: '1s' }, backends: box.backends(1, 2) }),
    change: (box) => ({ health: { interval: '1s' }, backends: [box.backend(1, { health: { mode: 'Passive' } }), box.backend(2)] }),
    ...asksNobody,
  },
  'balance.algorithm': { ...ofPool({ balance: { algorithm: 'RoundRobin' } }), ...runsWith(() => /balance roundrobin/) },
  'balance.stickiness.mode': { ...ofPool({ balance: { stickiness: { mode: 'None' } } }), ...runsWith(() => /^(?![\s\S]*stick on src)/) },
  'balance.stickiness.ttl': { ...ofPool({ balance: { stickiness: { ttl: '2h' } } }), ...runsWith(() => /expire 7[2-9]\d{5}ms peers/) },
  'weights.policy': {
    base: alike({ cores: 1 }),
    change: (box) => ({ ...alike({ cores: 1 })(box), weights: { policy: 'Equal' } }),
    ...firstServerState('4', '256'),
  },
  'health.mode': { ...ofPool({ health: { interval: '1s', mode: 'Passive' } }, { health: { interval: '1s' } }), ...asksNobody },
  'health.probe': { ...ofPool({ health: { probe: 'Connect' } }), ...runsWith(() => /^(?![\s\S]*tcp-check expect)/) },
  'health.interval': {
    ...ofPool({ health: { interval: '1s' } }),
    seen: async (box) => (await connections(box)) >= 2,
  },
  'health.fastInterval': {
    ...ofPool({ health: { rise: 20, fastInterval: '100ms' } }, { health: { rise: 20 } }),
    before: isBack,
    ...isUp,
  },
  'health.timeout': { ...ofPool({ health: { timeout: '3s' } }), ...runsWith(() => /inspect-delay 3000ms/) },
  'health.fall': {
    ...ofPool({ health: { interval: '1s', fall: 1 } }, { health: { interval: '1s', fall: 20 } }),
    async before(box) {
      await box.server(1).kill();
      await throughout('it is not down yet', 4_000, () => state(box) !== 'Down');
    },
    seen: (box) => state(box) === 'Down',
    withinMs: 5_000,
  },
  'health.rise': {
    ...ofPool({ health: { rise: 1 } }, { health: { rise: 20 } }),
    before: isBack,
    ...isUp,
    withinMs: 8_000,
  },
  'health.onDown': {
    ...ofPool({ health: { onDown: 'CloseSessions' } }, { health: { onDown: 'KeepSessions' } }),
    async before(box) {
      await box.heldSessions(20, { requestEveryMs: 250 });
      await throughout('its traffic is learned', 15_000, () => state(box) === 'Up');
      box.server(1).mode = 'hung';
      await becomes(box, 'Hung', 30_000);
      await throughout('nobody is cut', 2_000, () => box.events('SessionsClosed', 1).length === 0);
    },
    seen: (box) => box.events('SessionsClosed', 1).length > 0,
  },
  'timeouts.connect': { ...ofPool({ timeouts: { connect: '7s' } }), ...runsWith(() => /timeout connect 7000ms/) },
  'timeouts.idle': { ...ofPool({ timeouts: { idle: '45m' } }), ...runsWith(() => /timeout client 2700000ms/) },
  'limits.perClient.connections': {
    ...ofPool({ limits: { perClient: { connections: 3 } } }),
    ...runsWith(() => /table_conn_cur\S* ge 3\b/),
  },
  'limits.perClient.newPer10s': { ...ofPool({ limits: { perClient: { newPer10s: 9 } } }), ...runsWith(() => /table_conn_rate\S* ge 9\b/) },
  'drain.deadline': {
    ...draining({ deadline: '1h' }),
    change: (box) => ({ drain: { deadline: '1s' }, backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2)] }),
    ...isEmpty,
  },
  'drain.onDeadline': {
    ...draining({ deadline: '1s', onDeadline: 'Keep' }),
    change: (box) => ({
      drain: { deadline: '1s', onDeadline: 'Close' },
      backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2)],
    }),
    ...isEmpty,
  },
  'drain.closePerSecond': {
    ...draining({ deadline: '1s', closePerSecond: 1 }),
    change: (box) => ({
      drain: { deadline: '1s', closePerSecond: 1_000 },
      backends: [box.backend(1, { drain: { enabled: true } }), box.backend(2)],
    }),
    ...isEmpty,
    withinMs: 4_000,
  },
  'proxy.maxConnections': { ...ofPool({ proxy: { maxConnections: 3_000 } }), ...runsWith(() => /acl proxy_full \S+ gt 3000\b/) },
  'proxy.proxyProtocol.from[]': {
    ...ofPool({ proxy: { maxConnections: 4_000, proxyProtocol: { from: ['192.0.2.0/24'] } } }),
    ...runsWith(() => /expect-proxy layer4 if \{ src 192\.0\.2\.0\/24 \}/),
  },
};

const PODS = 'concerns pods, which only a cluster has';
const LATER = 'is refused until it works';

/** Fields without an effect on HAProxy, and why. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  'backends[].replicas': PODS,
  'backends[].podTemplate': PODS,
  podTemplate: PODS,
  'weights.adaptive.enabled': LATER,
  'weights.adaptive.maxStepPercent': LATER,
  'ecm.window': LATER,
  'ecm.degradedAboveMs': LATER,
  'ecm.minSuccessPercent': LATER,
  'ecm.minSamples': LATER,
  'ecm.action': LATER,
  'ecm.maxDegradedPercent': LATER,
  'rollout.maxUnavailableBackends': PODS,
  'rollout.strategy': PODS,
  'proxy.replicas': PODS,
  'proxy.image': PODS,
  'proxy.resources': PODS,
  'proxy.service.type': PODS,
  'proxy.service.nodePort': PODS,
  'proxy.service.externalTrafficPolicy': PODS,
  'proxy.service.sessionAffinity': PODS,
  'proxy.service.annotations': PODS,
  'proxy.service.loadBalancerClass': PODS,
  'proxy.nodeSelector': PODS,
  'proxy.tolerations[]': PODS,
  'proxy.affinity': PODS,
  'proxy.topologySpreadConstraints[]': PODS,
  'proxy.priorityClassName': PODS,
};
