import { type Clock, TimeLimit } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { isStatus, KubeApiError } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { microTime } from './micro-time.ts';
import type { KubeObject, ObjectMeta, ObjectRef, ResourceType } from './resource.ts';

/** Leases, by which operators elect their leader. */
export const LEASE: ResourceType = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };

/** What controllers of the field agree on, in milliseconds: how long a lease is respected, how long renewing may fail, how often it is tried. */
export const LEASE_TIMES = { durationMs: 15_000, renewMs: 10_000, retryMs: 2_000 } as const;

/** The time for which one process leads. */
export interface Term {
  /** Aborted when the term is over, for whatever reason. */
  readonly signal: AbortSignal;
  /**
   * To be called before each write. Asks the clock and not the signal: a process that was stopped for a while must not write in the
   * moment before it notices.
   *
   * @throws CccamError CCP_LEASE_LOST
   */
  readonly assertHeld: () => void;
}

/** Which lease is held, and how. */
export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique among all that may lead. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told of what keeps a renewal from succeeding; it is tried again. */
  readonly onError: (thrown: unknown) => void;
  readonly times?: { readonly durationMs: number; readonly renewMs: number; readonly retryMs: number };
}

/**
 * How a candidacy ended. `starved`: the API server did not answer, or refused, for too long; no other process is known to lead, and this one may
 * be a candidate again. `lost`: another process took the lease, or this one was not running for a while: what it knows is old.
 */
export type LeaseOutcome = 'stopped' | 'lost' | 'starved';

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseTransitions?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
}

/**
 * Lets one of several processes lead. A lease is over when this process has watched it stand still for its whole duration on its own
 * clock: what the holder's clock says is never asked, so that neither a wrong clock nor a lease of the year 2099 keeps anybody out.
 */
export class LeaseElector {
  readonly #options: LeaseOptions;
  readonly #times: NonNullable<LeaseOptions['times']>;
  #observed: { readonly text: string; readonly at: number } | undefined;
  #heldUntil = Number.NEGATIVE_INFINITY;
  /** Whether the last try to renew left open who leads. */
  #undecided = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
  }

  /** Whether this process leads now. */
  get leads(): boolean {
    return this.#options.clock.monotonic() < this.#heldUntil;
  }

  /**
   * Waits for the lease, leads once, and ends. By then everything that was done in the term has ended, too.
   *
   * @param lead does the leader's work until its term's signal is aborted
   * @returns 'stopped' when the signal was aborted; the lease is given back then
   */
  async run(lead: (term: Term) => Promise<void>, signal: AbortSignal): Promise<LeaseOutcome> {
    const { clock } = this.#options;
    while (!signal.aborted && !(await this.#try(signal))) await clock.sleep(this.#pauseMs(), signal);
    if (signal.aborted) return 'stopped';
    const over = new AbortController();
    const stop = (): void => over.abort();
    signal.addEventListener('abort', stop, { once: true });
    const working = lead({ signal: over.signal, assertHeld: () => this.#assertHeld() }).finally(stop);
    await this.#keep(over.signal);
    const overslept = this.#options.clock.monotonic() - this.#heldUntil > this.#times.retryMs;
    over.abort();
    await working;
    signal.removeEventListener('abort', stop);
    const held = this.leads;
    if (held) await this.#release();
    if (signal.aborted && held) return 'stopped';
    return this.#undecided && !overslept ? 'starved' : 'lost';
  }

  /** Renews until the term is over. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted && this.leads) {
      await clock.sleep(Math.min(this.#pauseMs(), Math.max(0, this.#heldUntil - clock.monotonic())), signal);
      if (signal.aborted || !this.leads) return;
      using limit = new TimeLimit(clock, Math.max(1, this.#heldUntil - clock.monotonic()), signal);
      await this.#try(limit.signal);
    }
  }

  /** @returns whether the lease is ours now */
  async #try(signal: AbortSignal): Promise<boolean> {
    const { client, clock, onError } = this.#options;
    const at = clock.monotonic(); // before the call: the term must not be longer than the others think
    // This process may have been stopped between reading and writing.
    const writer = client.guarded(this.leads ? () => this.#assertHeld() : () => undefined);
    try {
      const taken = await this.#take(writer, await client.get(this.#ref(), signal), signal);
      if (taken) this.#heldUntil = at + this.#times.renewMs;
      this.#undecided = false;
      return taken;
    } catch (thrown) {
      // A refusal does not say that another leads: an API server that has just started answers 403 until it knows the roles.
      this.#undecided = thrown instanceof KubeApiError && thrown.status !== 409;
      if (!signal.aborted && !isStatus(thrown, 409)) onError(thrown); // 409: another process was faster
      return false;
    }
  }

  async #take(writer: KubeClient, lease: KubeObject | null, signal: AbortSignal): Promise<boolean> {
    const ref = this.#ref();
    if (lease === null) {
      // It was deleted. Its holder does not know yet, and gets the time to make it again.
      const { clock } = this.#options;
      if (!this.leads && this.#observed !== undefined && clock.monotonic() - this.#observed.at < this.#times.durationMs) return false;
      await writer.create(ref, this.#object({}, 0, true), MANAGER, signal);
      return true;
    }
    const spec = (lease['spec'] ?? {}) as LeaseSpec;
    const ours = spec.holderIdentity === this.#options.identity;
    if (!ours) {
      if (this.leads) this.#heldUntil = Number.NEGATIVE_INFINITY; // another process took it: stop at once
      if (!this.#isOver(lease, spec)) return false;
    }
    const next = this.#object(spec, (spec.leaseTransitions ?? 0) + (ours ? 0 : 1), !ours);
    await writer.replace(ref, { ...next, metadata: written(lease.metadata) }, MANAGER, signal);
    return true;
  }

  #isOver(lease: KubeObject, spec: LeaseSpec): boolean {
    const now = this.#options.clock.monotonic();
    const text = `${lease.metadata.uid} ${spec.holderIdentity} ${spec.renewTime} ${spec.leaseTransitions} ${lease.metadata.resourceVersion}`;
    if (this.#observed?.text !== text) this.#observed = { text, at: now };
    const free = spec.holderIdentity === undefined || spec.holderIdentity === null || spec.holderIdentity === '';
    return free || now - this.#observed.at >= this.#times.durationMs;
  }

  #object(spec: LeaseSpec, transitions: number, acquired: boolean): KubeObject {
    const { clock, identity, name, namespace } = this.#options;
    const time = microTime(clock.now());
    return {
      apiVersion: LEASE.apiVersion,
      kind: LEASE.kind,
      metadata: { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1_000),
        leaseTransitions: transitions,
        acquireTime: acquired ? time : (spec.acquireTime ?? time),
        renewTime: time,
      },
    };
  }

  /** Gives the lease back, so that the next one need not wait for its end. */
  async #release(): Promise<void> {
    const { client, clock, identity, onError } = this.#options;
    const ref = this.#ref();
    using limit = new TimeLimit(clock, this.#times.retryMs);
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    try {
      const lease = await client.get(ref, limit.signal);
      if (lease === null || (lease['spec'] as LeaseSpec | undefined)?.holderIdentity !== identity) return;
      const time = microTime(clock.now());
      const spec = { ...(lease['spec'] as LeaseSpec), holderIdentity: '', leaseDurationSeconds: 1, acquireTime: time, renewTime: time };
      await client.replace(ref, { ...lease, metadata: written(lease.metadata), spec }, MANAGER, limit.signal);
    } catch (thrown) {
      onError(thrown); // it runs out by itself
    }
  }

  #assertHeld(): void {
    if (this.leads) return;
    throw new CccamError('CCP_LEASE_LOST', {
      subject: `lease ${this.#options.namespace}/${this.#options.name}`,
      message: `could not be renewed for ${this.#times.renewMs / 1_000} s, or was taken by another process`,
      remedy: 'Nothing to do: another process leads, or this one leads again when the API server accepts its renewals.',
    });
  }

  #ref(): ObjectRef {
    return { type: LEASE, namespace: this.#options.namespace, name: this.#options.name };
  }

  /** Spread a little, so that several candidates do not ask in step. */
  #pauseMs(): number {
    return this.#times.retryMs * (0.9 + 0.2 * this.#options.random());
  }
}

const MANAGER = 'cccam-operator-lease';

/** Metadata as it may be written back: what was not read is not taken away. */
function written(metadata: ObjectMeta): ObjectMeta {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null)) as unknown as ObjectMeta;
}
