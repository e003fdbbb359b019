import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** `cccampool`: what clients feel; `cccampool-status`: what is reported about it. */
export type QueueName = 'cccampool' | 'cccampool-status';

/** A condition of a pool, as its status says. */
export interface PoolCondition {
  readonly namespace: string;
  readonly pool: string;
  readonly condition: string;
  readonly holds: boolean;
}

/** What the gauges are read from when they are scraped. */
export interface MetricSources {
  readonly queueDepths: () => Readonly<Record<QueueName, number>>;
  readonly leads: () => boolean;
  readonly pools: () => number;
  readonly conditions: () => Iterable<PoolCondition>;
  readonly proxies: () => number;
  /** Milliseconds since each watch was last heard, by kind. */
  readonly watchAges: () => ReadonlyMap<string, number>;
}

/** Metrics of the operator. Where controllers of the field have a name for something, it is theirs, so that their dashboards work. */
export class OperatorMetrics {
  readonly registry = new Registry();
  readonly #reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Passes over a pool, by how they ended.',
    labelNames: ['controller', 'result'],
    registers: [this.registry],
  });
  readonly #errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Passes over a pool that failed.',
    labelNames: ['controller'],
    registers: [this.registry],
  });
  readonly #time = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long a pass over a pool takes.',
    labelNames: ['controller'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers: [this.registry],
  });
  readonly #adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys that came to the queue.',
    labelNames: ['name'],
    registers: [this.registry],
  });
  readonly #retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys that came again after a failure.',
    labelNames: ['name'],
    registers: [this.registry],
  });
  readonly #calls = new Counter({
    name: 'rest_client_requests_total',
    help: 'Calls to the API server, by method and answer.',
    labelNames: ['method', 'code'],
    registers: [this.registry],
  });
  readonly #relists = new Counter({
    name: 'cccam_operator_lists_total',
    help: 'Whole lists that were read, by kind.',
    labelNames: ['kind'],
    registers: [this.registry],
  });
  readonly #missed = new Counter({
    name: 'cccam_operator_watch_missed_total',
    help: 'Objects that a list found and the watch before it had missed, by kind.',
    labelNames: ['kind'],
    registers: [this.registry],
  });

  constructor(sources: MetricSources) {
    collectDefaultMetrics({ register: this.registry });
    this.#gauge('workqueue_depth', 'Keys that could be handled now.', ['name'], (gauge) => {
      for (const [name, depth] of Object.entries(sources.queueDepths())) gauge.set({ name }, depth);
    });
    this.#gauge('leader_election_master_status', 'Whether this process leads.', ['name'], (gauge) =>
      gauge.set({ name: 'cccam-operator' }, sources.leads() ? 1 : 0),
    );
    this.#gauge('cccam_operator_pools', 'Pools that are known.', [], (gauge) => gauge.set(sources.pools()));
    this.#gauge('cccam_pool_condition', 'Whether a condition of a pool is True.', ['namespace', 'pool', 'condition'], (gauge) => {
      gauge.reset(); // pools come and go
      for (const { holds, ...labels } of sources.conditions()) gauge.set(labels, holds ? 1 : 0);
    });
    this.#gauge('cccam_operator_proxies', 'Proxies that are listened to.', [], (gauge) => gauge.set(sources.proxies()));
    this.#gauge('cccam_operator_watch_age_seconds', 'Time since a watch was last heard, by kind.', ['kind'], (gauge) => {
      for (const [kind, ms] of sources.watchAges()) gauge.set({ kind }, ms / 1_000);
    });
  }

  /** A pass has ended well. */
  reconciled(controller: QueueName, ms: number, again: boolean): void {
    this.#reconciles.inc({ controller, result: again ? 'requeue_after' : 'success' });
    this.#time.observe({ controller }, ms / 1_000);
  }

  /** A pass has failed and comes again. */
  failed(controller: QueueName): void {
    this.#reconciles.inc({ controller, result: 'error' });
    this.#errors.inc({ controller });
    this.#retries.inc({ name: controller });
  }

  added(name: QueueName): void {
    this.#adds.inc({ name });
  }

  called(method: string, status: number | null): void {
    this.#calls.inc({ method, code: status === null ? '<error>' : String(status) });
  }

  listed(kind: string, missed: number): void {
    this.#relists.inc({ kind });
    if (missed > 0) this.#missed.inc({ kind }, missed);
  }

  #gauge<T extends string>(name: string, help: string, labelNames: T[], read: (gauge: Gauge<T>) => void): void {
    const gauge: Gauge<T> = new Gauge({ name, help, labelNames, registers: [this.registry], collect: () => read(gauge) });
  }
}
