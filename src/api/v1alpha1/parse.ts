import type * as z from 'zod';
import { CccamError } from '../../runtime/errors.ts';
import { printable } from '../../runtime/printable.ts';
import { readAddress, readNetwork } from '../../runtime/server-address.ts';
import { durationMs } from './grammar.ts';
import { BACKEND_AGENT, PROXY_AGENT } from './names.ts';
import { templateIssues } from './pod-template.ts';
import { type CccamPool, cccamPool } from './pool.ts';
import type { BackendSpec, PoolSpec } from './spec.ts';

/** Where a path leads: object keys and list indexes from the root of the pool. */
export type FieldPath = readonly (string | number)[];

/** One thing that is wrong or doubtful in a pool. */
export interface Issue {
  readonly path: FieldPath;
  /** What was expected there, or what to mind. */
  readonly message: string;
}

/** Where the pool is going to run; it decides which addresses and features make sense. */
export type Place = 'cluster' | 'box';

/** A pool that was understood, and what its owner should mind. */
export interface ParsedPool {
  readonly pool: CccamPool;
  readonly warnings: readonly Issue[];
}

/** The pool was refused. Carries every issue that was found, not only the first. */
export class PoolInvalidError extends CccamError {
  readonly issues: readonly Issue[];

  constructor(code: 'CCP_POOL_INVALID' | 'CCP_POOL_UNSUPPORTED', issues: readonly Issue[]) {
    const [first] = issues;
    super(code, {
      subject: first === undefined ? 'pool' : pathText(first.path),
      message: first === undefined ? 'refused' : `${first.message}${issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''}`,
      remedy: 'Correct the field; until then the last good pool goes on serving.',
    });
    this.issues = issues;
  }
}

/**
 * Reads a pool from untrusted data: the schema, the rules that cross fields, and what this release can do.
 *
 * @param place `box`: without Kubernetes, where loopback addresses are fine and pods cannot be made
 * @throws PoolInvalidError with every issue: `CCP_POOL_INVALID`, or `CCP_POOL_UNSUPPORTED` where the pool is right but asks for something not there yet
 */
export function parsePool(data: unknown, place: Place): ParsedPool {
  const result = cccamPool.safeParse(data);
  if (!result.success) throw new PoolInvalidError('CCP_POOL_INVALID', result.error.issues.flatMap(schemaIssues));
  const pool = canonical(result.data);
  const wrong = distinct([...crossFieldIssues(pool.spec, place)]);
  if (wrong.length > 0) throw new PoolInvalidError('CCP_POOL_INVALID', wrong);
  const early = [...unsupported(pool.spec, place)];
  if (early.length > 0) throw new PoolInvalidError('CCP_POOL_UNSUPPORTED', early);
  return { pool, warnings: [...warnings(pool.spec, data, place)] };
}

/** `spec.backends[0].port`, safe to print whatever the keys were. */
export function pathText(path: FieldPath): string {
  const text = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${printable(step, 60)}`)).join('');
  return text === '' ? 'pool' : text.replace(/^\./, '');
}

function schemaIssues(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown field; expected one that the reference lists' }));
  return [{ path, message: printable(issue.message) }];
}

/** The same pool with every address in its one canonical spelling, so that equal servers are equal texts from here on. */
function canonical(pool: CccamPool): CccamPool {
  const backends = pool.spec.backends.map((backend) => {
    if (backend.external === undefined) return backend;
    const reading = readAddress(backend.external.address, { loopback: true });
    return reading.kind === 'address' ? { ...backend, external: { address: reading.canonical } } : backend;
  });
  const { proxyProtocol, ...proxy } = pool.spec.proxy;
  const trusted = proxyProtocol === undefined ? {} : { proxyProtocol: { from: proxyProtocol.from.map(canonicalNetwork) } };
  return { ...pool, spec: { ...pool.spec, backends, proxy: { ...proxy, ...trusted } } };
}

function canonicalNetwork(text: string): string {
  const reading = readNetwork(text);
  return reading.kind === 'network' ? reading.canonical : text;
}

/** A template that several backends share is wrong once. */
function distinct(issues: readonly Issue[]): Issue[] {
  return [...new Map(issues.map((issue) => [`${pathText(issue.path)} ${issue.message}`, issue])).values()];
}

function* crossFieldIssues(spec: PoolSpec, place: Place): Generator<Issue> {
  yield* duplicates(spec.backends);
  if (place === 'cluster' && spec.port === PROXY_AGENT.port)
    yield { path: ['spec', 'port'], message: `expected another port: ${PROXY_AGENT.port} is that of the operator’s own container` };
  for (const [index, backend] of spec.backends.entries()) yield* backendIssues(spec, backend, ['spec', 'backends', index], place);
  if (!spec.backends.some((backend) => backend.role === 'Active')) {
    yield { path: ['spec', 'backends'], message: 'expected at least one backend with role Active' };
  }
  if (durationMs(spec.health.fastInterval) > durationMs(spec.health.interval)) {
    yield { path: ['spec', 'health', 'fastInterval'], message: 'expected at most the interval' };
  }
}

function* duplicates(backends: readonly BackendSpec[]): Generator<Issue> {
  const names = new Set<string>();
  const targets = new Map<string, string>();
  for (const [index, backend] of backends.entries()) {
    if (names.has(backend.name)) yield { path: ['spec', 'backends', index, 'name'], message: 'expected a name that no other backend has' };
    names.add(backend.name);
    if (backend.external === undefined) continue;
    const target = `${backend.external.address} ${backend.port}`;
    const other = targets.get(target);
    if (other !== undefined)
      yield {
        path: ['spec', 'backends', index, 'external', 'address'],
        message: `expected an address and port that no other backend has; ${other} has the same`,
      };
    targets.set(target, backend.name);
  }
}

function* backendIssues(spec: PoolSpec, backend: BackendSpec, path: FieldPath, place: Place): Generator<Issue> {
  if (backend.external !== undefined) {
    if (backend.replicas !== undefined) yield { path: [...path, 'replicas'], message: 'expected either external or replicas, not both' };
    if (backend.podTemplate !== undefined)
      yield { path: [...path, 'podTemplate'], message: 'expected either external or podTemplate, not both' };
    const reading = readAddress(backend.external.address, { loopback: place === 'box' });
    if (reading.kind === 'refused') yield { path: [...path, 'external', 'address'], message: reading.expected };
    return;
  }
  if (place === 'cluster' && backend.name === RESERVED_BACKEND) {
    yield { path: [...path, 'name'], message: `expected another name: ${RESERVED_BACKEND} is that of the proxies` };
  }
  if (backend.drain !== undefined)
    yield { path: [...path, 'drain'], message: 'expected no drain on a managed backend: annotate its pods instead' };
  if (place === 'cluster' && backend.podTemplate === undefined && spec.podTemplate === undefined) {
    yield { path, message: 'expected external, or a podTemplate of its own or of the pool' };
  }
  if (place === 'cluster') yield* podTemplateIssues(spec, backend, path);
  if (place === 'box' && backend.replicas === undefined && backend.podTemplate === undefined && spec.podTemplate === undefined) {
    yield { path, message: 'expected external.address: the address of the server' };
  }
}

function* podTemplateIssues(spec: PoolSpec, backend: BackendSpec, path: FieldPath): Generator<Issue> {
  if (backend.port === BACKEND_AGENT.port)
    yield { path: [...path, 'port'], message: `expected another port: ${BACKEND_AGENT.port} is that of the operator’s own container` };
  const where = backend.podTemplate === undefined ? ['spec', 'podTemplate'] : [...path, 'podTemplate'];
  yield* templateIssues(backend.podTemplate ?? spec.podTemplate, backend.port, spec.drain.deadline, where);
}

/** What the schema knows already but this release does not do: switched on too early, it is an error and never silence. */
function* unsupported(spec: PoolSpec, place: Place): Generator<Issue> {
  if (spec.ecm !== undefined) yield { path: ['spec', 'ecm'], message: 'watching answer times is not there yet: leave ecm out' };
  if (spec.weights.adaptive.enabled)
    yield { path: ['spec', 'weights', 'adaptive', 'enabled'], message: 'adaptive weights are not there yet: leave it false' };
  if (place === 'cluster') return;
  for (const [index, backend] of spec.backends.entries()) {
    if (backend.external === undefined) {
      yield {
        path: ['spec', 'backends', index],
        message: 'a managed backend needs Kubernetes, which makes its pods: apply the pool to a cluster, or give external.address',
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

function* warnings(spec: PoolSpec, data: unknown, place: Place): Generator<Issue> {
  if (durationMs(spec.timeouts.idle) < IDLE_WARNING_MS) {
    yield { path: ['spec', 'timeouts', 'idle'], message: 'below 5m, clients that send no keepalives are cut while they watch' };
  }
  if (spec.backends.every((backend) => backend.weight === 0 || backend.drain?.enabled === true)) {
    yield { path: ['spec', 'backends'], message: 'every backend is drained or has weight 0: nobody can connect' };
  }
  if (place === 'cluster') return;
  for (const key of CLUSTER_ONLY) {
    if (isSet(data, ['spec', 'proxy', key])) yield { path: ['spec', 'proxy', key], message: 'has no effect without Kubernetes' };
  }
  for (const key of ['rollout', 'podTemplate']) {
    if (isSet(data, ['spec', key])) yield { path: ['spec', key], message: 'has no effect without Kubernetes' };
  }
}

/** Whether the person wrote the field; defaults do not count. */
export function isSet(data: unknown, path: FieldPath): boolean {
  let at: unknown = data;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return false;
    at = Reflect.get(at, step);
  }
  return at !== undefined;
}
