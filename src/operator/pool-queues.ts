import { type Urgency, WorkQueue, type WorkQueueOptions, type WorkResult } from '../kube/work-queue.ts';
import type { Clock } from '../runtime/clock.ts';
import { errorFields, type Logger } from '../runtime/logger.ts';
import type { OperatorMetrics, QueueName } from './operator-metrics.ts';
import type { Reconciler } from './reconciler.ts';

const BACKOFF = { firstMs: 20, capMs: 4_000, jitter: 0.25 } as const;
/** Pools that are reported on at the same time: few, so that the API server has room for what clients feel. */
const REPORT_WORKERS = 2;
/** Passes over one pool, whatever its owner does to it: far more than work takes, and few enough that others have their turn. */
const PASSES = { perSecond: 25, burst: 100 } as const;
/** Reports on one pool: a flapping server must not write its status with the calls of all others. */
const REPORTS = { perSecond: 2, burst: 30 } as const;
/** What the proxies of a pool say is answered this often at most, in milliseconds. */
const SAID_MS = 200;
const YIELD_MS = 30;
const YIELD_LOOK_MS = 3;

/** What the queues work with. */
export interface PoolQueuesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: OperatorMetrics;
  /** Pools reconciled at the same time. */
  readonly workers: number;
}

/** Pools that wait: to be reconciled, and to be reported on. Two queues, because what people read must not delay what clients feel. */
export class PoolQueues {
  readonly #options: PoolQueuesOptions;
  readonly #passes: WorkQueue;
  readonly #reports: WorkQueue;
  #reconciler: Pick<Reconciler, 'pass' | 'report'> | undefined;

  constructor(options: PoolQueuesOptions) {
    this.#options = options;
    this.#passes = this.#queue('cccampool', { workers: options.workers, pace: PASSES }, (key, signal) => this.#pass(key, signal));
    this.#reports = this.#queue(
      'cccampool-status',
      { workers: REPORT_WORKERS, pace: REPORTS },
      async (key, signal) => await this.#leading.report(key, signal),
    );
  }

  /** Keys that could be handled now. */
  get depths(): Readonly<Record<QueueName, number>> {
    return { cccampool: this.#passes.depth, 'cccampool-status': this.#reports.depth };
  }

  /** A pool, or something of it, is not as before. */
  changed(key: string, urgency: Urgency): void {
    this.#add(key, urgency, 0);
  }

  /** A proxy of a pool has said something, which it may do many times a second. */
  said(key: string, urgency: Urgency): void {
    this.#add(key, urgency, SAID_MS);
  }

  /** Handles keys until the signal is aborted. */
  async run(reconciler: Pick<Reconciler, 'pass' | 'report'>, signal: AbortSignal): Promise<void> {
    this.#reconciler = reconciler;
    await Promise.all([this.#passes.run(signal), this.#reports.run(signal)]);
  }

  /** Two writes at once take twice as long each, so telling lets passes go first; but not for long, for there may always be one. */
  async yieldToPasses(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const limit = clock.monotonic() + YIELD_MS;
    while (this.#passes.running > 0 && !signal.aborted && clock.monotonic() < limit) await clock.sleep(YIELD_LOOK_MS, signal);
  }

  #queue(name: QueueName, options: Pick<WorkQueueOptions, 'pace' | 'workers'>, handle: WorkQueueOptions['handle']): WorkQueue {
    const { clock, log, metrics } = this.#options;
    return new WorkQueue({
      clock,
      random: Math.random,
      backoff: BACKOFF,
      ...options,
      handle: async (key, signal) => {
        const begun = clock.monotonic();
        const result = await handle(key, signal);
        const ms = clock.monotonic() - begun;
        metrics.reconciled(name, ms, result.kind === 'requeue');
        log.debug({ pool: key, queue: name, ms: Math.round(ms), ...result }, 'reconciled');
        return result;
      },
      onError: (key, thrown, retryInMs) => {
        metrics.failed(name);
        log.warn({ pool: key, queue: name, ...errorFields(thrown), retryInMs }, 'reconcile failed');
      },
    });
  }

  async #pass(key: string, signal: AbortSignal): Promise<WorkResult> {
    let reportDue = true; // a failed pass is reported, too
    try {
      const result = await this.#leading.pass(key, signal);
      reportDue = result.reportDue;
      return result.work;
    } finally {
      if (reportDue) {
        this.#options.metrics.added('cccampool-status');
        this.#reports.add(key);
      }
    }
  }

  /** Queues only run while this process leads. */
  get #leading(): Pick<Reconciler, 'pass' | 'report'> {
    if (this.#reconciler === undefined) throw new Error('not leading');
    return this.#reconciler;
  }

  #add(key: string, urgency: Urgency, spacingMs: number): void {
    this.#options.metrics.added('cccampool');
    this.#passes.add(key, urgency, spacingMs);
  }
}
