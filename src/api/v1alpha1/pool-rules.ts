import { durationMs } from '../../runtime/duration.ts';
import { readAddress } from '../../runtime/server-address.ts';
import { type FieldPath, type Issue, isSet } from './issue.ts';
import { BACKEND_AGENT } from './names.ts';
import { templateIssues } from './pod-template.ts';
import type { BackendSpec, PoolSpec } from './spec.ts';

/** Where the pool is going to run; it decides which addresses and features make sense. */
export type Environment = 'cluster' | 'standalone';

/** A ConfigMap, which is 1 MiB at most, holds twice as many: while pods are replaced, the old ones and the new ones are there. */
const MAX_SERVERS = 4_000;

/** Rules that cross fields. */
export function* crossFieldIssues(spec: PoolSpec, environment: Environment): Generator<Issue> {
  yield* duplicates(spec.backends);
  for (const [index, backend] of spec.backends.entries()) yield* backendIssues(spec, backend, ['spec', 'backends', index], environment);
  const servers = spec.backends.reduce((sum, { external, replicas }) => sum + (external === undefined ? (replicas ?? 1) : 1), 0);
  if (servers > MAX_SERVERS) {
    const message = `expected at most ${MAX_SERVERS} servers in one pool, found ${servers}: make several pools`;
    yield { path: ['spec', 'backends'], message };
  }
  if (!spec.backends.some((backend) => backend.role === 'Active')) {
    yield { path: ['spec', 'backends'], message: 'expected at least one backend with role Active: a Backup waits until no Active is up' };
  }
  if (durationMs(spec.health.fastInterval) > durationMs(spec.health.interval)) {
    yield {
      path: ['spec', 'health', 'fastInterval'],
      message: `expected at most health.interval (${spec.health.interval}), found ${spec.health.fastInterval}: shorten it`,
    };
  }
}

function* duplicates(backends: readonly BackendSpec[]): Generator<Issue> {
  const names = new Set<string>();
  const targets = new Map<string, string>();
  for (const [index, backend] of backends.entries()) {
    if (names.has(backend.name))
      yield {
        path: ['spec', 'backends', index, 'name'],
        message: `expected a name that no other backend has, found ${backend.name} twice: rename one of them`,
      };
    names.add(backend.name);
    if (backend.external === undefined) continue;
    const target = `${backend.external.address} ${backend.port}`;
    const other = targets.get(target);
    if (other !== undefined)
      yield {
        path: ['spec', 'backends', index, 'external', 'address'],
        message: `expected an address and port that no other backend has, found those of ${other}: take one of them out`,
      };
    targets.set(target, backend.name);
  }
}

function* backendIssues(spec: PoolSpec, backend: BackendSpec, path: FieldPath, environment: Environment): Generator<Issue> {
  if (backend.external !== undefined) {
    if (backend.replicas !== undefined)
      yield {
        path: [...path, 'replicas'],
        message: 'expected either external or replicas, found both: a server that runs elsewhere has no pods, so take replicas out',
      };
    if (backend.podTemplate !== undefined)
      yield {
        path: [...path, 'podTemplate'],
        message: 'expected either external or podTemplate, found both: a server that runs elsewhere has no pods, so take podTemplate out',
      };
    const reading = readAddress(backend.external.address, { loopback: environment === 'standalone' });
    if (reading.kind === 'refused')
      yield {
        path: [...path, 'external', 'address'],
        message: `${reading.expected}, found ${backend.external.address}: write the address of the server`,
      };
    return;
  }
  if (environment === 'cluster' && backend.name === RESERVED_BACKEND) {
    yield { path: [...path, 'name'], message: `expected another name than ${RESERVED_BACKEND}, which is that of the proxies: rename it` };
  }
  if (backend.drain !== undefined)
    yield { path: [...path, 'drain'], message: 'expected no drain on a managed backend: annotate its pods instead' };
  if (environment === 'cluster' && backend.podTemplate === undefined && spec.podTemplate === undefined) {
    yield {
      path,
      message:
        'expected external or a podTemplate, found neither: add external.address for a server that runs elsewhere, or a podTemplate here or in spec',
    };
  }
  if (environment === 'cluster') yield* podTemplateIssues(spec, backend, path);
  if (
    environment === 'standalone' &&
    backend.replicas === undefined &&
    backend.podTemplate === undefined &&
    spec.podTemplate === undefined
  ) {
    yield { path, message: 'expected external.address, the address of the server, found nothing: add it' };
  }
}

function* podTemplateIssues(spec: PoolSpec, backend: BackendSpec, path: FieldPath): Generator<Issue> {
  if (backend.port === BACKEND_AGENT.port)
    yield {
      path: [...path, 'port'],
      message: `expected another port than ${BACKEND_AGENT.port}, which is that of the operator's own container: choose one`,
    };
  const where = backend.podTemplate === undefined ? ['spec', 'podTemplate'] : [...path, 'podTemplate'];
  yield* templateIssues(backend.podTemplate ?? spec.podTemplate, backend.port, spec.drain.deadline, where);
}

/** What the schema knows already but this release does not do: switched on too early, it is an error and never silence. */
export function* unsupported(spec: PoolSpec, environment: Environment): Generator<Issue> {
  if (spec.ecm !== undefined)
    yield { path: ['spec', 'ecm'], message: 'expected no ecm: watching answer times is not supported yet. Leave it out' };
  if (spec.weights.adaptive.enabled)
    yield {
      path: ['spec', 'weights', 'adaptive', 'enabled'],
      message: 'expected false: adaptive weights are not supported yet. Leave it out',
    };
  if (environment === 'cluster') return;
  for (const [index, backend] of spec.backends.entries()) {
    if (backend.external === undefined) {
      yield {
        path: ['spec', 'backends', index],
        message:
          'expected external.address, for pods are made in Kubernetes only: give the address of a server, or apply the pool to a cluster',
      };
    }
  }
}

/** Children are named `<pool>-<backend>`, and `<pool>-haproxy` is that of the proxies. */
const RESERVED_BACKEND = 'haproxy';
const IDLE_WARNING_MS = durationMs('5m');
const CLUSTER_ONLY = [
  'replicas',
  'image',
  'resources',
  'service',
  'nodeSelector',
  'tolerations',
  'affinity',
  'topologySpreadConstraints',
  'priorityClassName',
];

/** What is right, and its owner should mind. @param data what the person wrote */
export function* warnings(spec: PoolSpec, data: unknown, environment: Environment): Generator<Issue> {
  if (durationMs(spec.timeouts.idle) < IDLE_WARNING_MS) {
    yield { path: ['spec', 'timeouts', 'idle'], message: 'below 5m, clients that send no keepalives are cut while they watch' };
  }
  if (spec.backends.every((backend) => backend.weight === 0 || backend.drain?.enabled === true)) {
    yield { path: ['spec', 'backends'], message: 'every backend is drained or has weight 0: no client can connect' };
  }
  if (environment === 'cluster') return;
  for (const key of CLUSTER_ONLY) {
    if (isSet(data, ['spec', 'proxy', key])) yield { path: ['spec', 'proxy', key], message: 'has no effect without Kubernetes' };
  }
  for (const key of ['rollout', 'podTemplate']) {
    if (isSet(data, ['spec', key])) yield { path: ['spec', key], message: 'has no effect without Kubernetes' };
  }
}
