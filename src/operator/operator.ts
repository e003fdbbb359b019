import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type ApiServerAccess, inCluster } from '../kube/api-server-access.ts';
import { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import { LEASE_TIMES, LeaseElector, type LeaseOutcome, type Term } from '../kube/lease.ts';
import { ServerClock } from '../kube/server-clock.ts';
import { TokenBucket } from '../kube/token-bucket.ts';
import { Transport } from '../kube/transport.ts';
import type { ClusterSettings } from '../pool/resources/settings.ts';
import type { TenantPolicy } from '../pool/tenant-policy.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { serveHttp } from '../runtime/http-server.ts';
import { createLogger, errorFields, type Logger } from '../runtime/logger.ts';
import { Shutdown } from '../runtime/shutdown.ts';
import { VERSION } from '../runtime/version.ts';
import { type MetricSources, OperatorMetrics } from './operator-metrics.ts';
import { operatorRoutes } from './operator-routes.ts';
import { PoolQueues } from './pool-queues.ts';
import { PoolReader, poolConditions } from './pool-record.ts';
import { ProxyListeners } from './proxy-listeners.ts';
import { ReconcileStates } from './reconcile-state.ts';
import { Reconciler } from './reconciler.ts';
import type { WatchReport } from './reflectors.ts';
import { Watches } from './watches.ts';

/** Options of `cccam-operator operator`. */
export interface OperatorOptions {
  readonly access:
    | { readonly kind: 'in-cluster' /** Folder with token, ca.crt and namespace. */; readonly serviceAccount: string }
    | { readonly kind: 'kubeconfig' /** Null for the usual one. */; readonly path: string | null; readonly context: string | null };
  /** Namespaces to manage; an empty list means all of them. */
  readonly namespaces: readonly string[];
  /** Namespace of the lease, or null for this process's own. */
  readonly leaseNamespace: string | null;
  readonly leaseName: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly settings: Omit<ClusterSettings, 'policy'>;
  readonly policy: Omit<TenantPolicy, 'ownNamespace'> & { readonly allowOwnNamespace: boolean };
  /** Calls to the API server per second, and at once after a rest. */
  readonly callsPerSecond: number;
  readonly workers: number;
  readonly logLevel: string;
}

const CONTROLLER_NAME = 'cccam.dev/operator';

/**
 * Manages every pool of a cluster until SIGTERM.
 *
 * @returns the exit code: 0, or 1 when the lease was lost
 * @throws CccamError for everything that keeps it from starting
 */
export async function operate(options: OperatorOptions, clock: Clock = systemClock): Promise<number> {
  const identity = `${hostname()}_${randomUUID().slice(0, 8)}`;
  const log = createLogger(options.logLevel, { process: 'operator', identity });
  const shutdown = new Shutdown();
  const operator = new Operator(options, { access: await apiServerAccess(options, clock), identity, clock: new ServerClock(clock), log });
  const outcome = await operator.run(shutdown.stopping);
  shutdown.dispose();
  if (outcome === 'lost') log.error('the lease was lost; exiting');
  return outcome === 'lost' ? 1 : 0;
}

async function apiServerAccess({ access }: OperatorOptions, clock: Clock): Promise<ApiServerAccess> {
  if (access.kind === 'in-cluster') return await inCluster(process.env, access.serviceAccount, clock);
  const { fromKubeconfig } = await import('../kube/kubeconfig.ts'); // costs 45 MiB, which a pod does not need to spend
  return fromKubeconfig(access.path, access.context);
}

/** What this process is and has. */
interface OperatorProcess {
  readonly access: ApiServerAccess;
  /** Name of this process among the operators. */
  readonly identity: string;
  readonly clock: ServerClock;
  readonly log: Logger;
}

/** Every part of the operator, and how they are joined. */
class Operator {
  readonly #options: OperatorOptions;
  readonly #access: ApiServerAccess;
  readonly #clock: ServerClock;
  readonly #log: Logger;
  readonly #metrics: OperatorMetrics;
  readonly #transport: Transport;
  readonly #leaseTransport: Transport;
  readonly #client: KubeClient;
  readonly #watches: Watches;
  readonly #listeners: ProxyListeners;
  readonly #queues: PoolQueues;
  readonly #elector: LeaseElector;
  readonly #identity: string;
  readonly #states = new ReconcileStates();

  constructor(options: OperatorOptions, { access, clock, identity, log }: OperatorProcess) {
    this.#options = options;
    this.#access = access;
    this.#clock = clock;
    this.#log = log;
    this.#identity = identity;
    this.#metrics = new OperatorMetrics(this.#metricSources());
    this.#transport = new Transport({
      access,
      clock,
      bucket: new TokenBucket(clock, options.callsPerSecond, 2 * options.callsPerSecond),
      userAgent: `cccam-operator/${VERSION} (operator)`,
      onCall: (method, status) => this.#metrics.called(method, status),
      onDate: (date, tookMs) => clock.hear(date, tookMs),
    });
    this.#client = new KubeClient(this.#transport);
    this.#queues = new PoolQueues({ clock, log, metrics: this.#metrics, workers: options.workers });
    this.#listeners = new ProxyListeners({
      clock,
      random: Math.random,
      servers: (pool) => this.#watches.serverCount(pool),
      onChange: (pool, change) => this.#queues.said(pool, change === 'state' ? 'change' : 'resync'),
      onTrouble: (pool, pod, error) => this.#streamLost(pool, pod, error),
    });
    this.#watches = new Watches({
      client: this.#client,
      namespaces: options.namespaces,
      clock,
      random: Math.random,
      pools: new PoolReader(),
      onPool: (key, urgency) => this.#queues.changed(key, urgency),
      onProxies: (pool) => this.#followProxies(pool),
      report: (kind, report) => this.#reported(kind, report),
    });
    // Connections and a reserve of its own: whatever slows the rest down must not cost the lease.
    this.#leaseTransport = new Transport({
      access,
      clock,
      bucket: new TokenBucket(clock, 10, 20),
      userAgent: `cccam-operator/${VERSION} (operator)`,
      timeoutMs: LEASE_TIMES.renewMs / 3,
    });
    this.#elector = new LeaseElector({
      client: new KubeClient(this.#leaseTransport),
      namespace: options.leaseNamespace ?? access.namespace ?? 'default',
      name: options.leaseName,
      identity,
      clock,
      random: Math.random,
      onError: (thrown) => log.warn(errorFields(thrown), 'cannot renew the lease; retrying'),
    });
  }

  /** Works until the signal is aborted or the lease is lost. */
  async run(signal: AbortSignal): Promise<'stopped' | 'lost'> {
    const http = await serveHttp(
      { ...this.#options.http, option: '--http' },
      operatorRoutes(this.#watches.reflectors, this.#metrics.registry, this.#clock),
    );
    const end = new AbortController();
    const stop = (): void => end.abort();
    signal.addEventListener('abort', stop, { once: true });
    this.#log.info({ version: VERSION, server: this.#access.server.origin, port: http.port }, 'started');
    const watching = this.#watches.reflectors.run(end.signal);
    await this.#watches.reflectors.waitForSync(end.signal);
    this.#log.info({ pools: this.#watches.pools.size }, 'caches are warm');
    let outcome: LeaseOutcome = 'starved';
    // Without an API server no process can lead. When it is back, this one continues with warm caches and its own lease.
    while (outcome === 'starved' && !signal.aborted) outcome = await this.#elector.run((term) => this.#lead(term), signal);
    end.abort();
    await watching;
    await this.#listeners.stop();
    await http.close();
    this.#transport.close();
    this.#leaseTransport.close();
    return signal.aborted ? 'stopped' : 'lost';
  }

  /** Read at each scrape, when everything is there. */
  #metricSources(): MetricSources {
    return {
      queueDepths: () => this.#queues.depths,
      leads: () => this.#elector.leads,
      pools: () => this.#watches.pools.size,
      conditions: () => poolConditions(this.#watches.pools.all()),
      proxies: () => this.#listeners.size,
      watchAges: () => this.#watches.reflectors.ages,
    };
  }

  async #lead(term: Term): Promise<void> {
    this.#log.info('leads');
    const client = this.#client.guarded(term.assertHeld);
    const events = new EventRecorder({
      client,
      clock: this.#clock,
      random: Math.random,
      controller: CONTROLLER_NAME,
      instance: this.#identity,
    });
    const onEventLost = (thrown: unknown): void => this.#log.warn(errorFields(thrown), 'cannot write an Event');
    const tools = {
      client,
      events,
      watches: this.#watches,
      clock: this.#clock,
      random: Math.random,
      onEventLost,
      yieldToApplies: (signal: AbortSignal) => this.#queues.yieldToPasses(signal),
    };
    const { allowOwnNamespace, ...policy } = this.#options.policy;
    const ownNamespace = allowOwnNamespace ? null : this.#access.namespace;
    const settings = { ...this.#options.settings, policy: { ...policy, ownNamespace } };
    await this.#queues.run(new Reconciler({ tools, listeners: this.#listeners, settings, states: this.#states }), term.signal);
  }

  #followProxies(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const isThere = this.#watches.pools.get(namespace, name) !== null;
    this.#listeners.follow(key, isThere ? this.#watches.proxiesOf(key) : [], (pod) => this.#watches.isOurs(pod));
  }

  /** Pods come and go, so that one cannot be reached is no warning; that it cannot be understood is. */
  #streamLost(pool: string, pod: string, error: CccamError): void {
    const fields = { pool, pod, ...errorFields(error) };
    if (error.code === 'CCP_STREAM_LOST') this.#log.info(fields, 'the stream of a proxy was lost');
    else this.#log.warn(fields, 'the stream of a proxy cannot be used');
  }

  #reported(kind: string, report: WatchReport): void {
    if (report.kind === 'unreadable')
      this.#log.warn({ kind, object: report.key, ...errorFields(report.error) }, 'an object cannot be read');
    if (report.kind === 'listed') this.#metrics.listed(kind, report.missed);
    if (report.kind === 'failed')
      this.#log.warn({ kind, ...errorFields(report.error), retryInMs: Math.round(report.retryInMs) }, 'a watch failed');
    if (report.kind === 'listed') this.#log.debug({ kind, count: report.count }, 'listed');
  }
}
