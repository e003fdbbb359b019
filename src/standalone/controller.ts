import type { CccamPool, PoolStatus } from '../api/v1alpha1/index.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import type { ProxyObservation } from '../haproxy/observation.ts';
import { type Attention, attentions } from '../pool/attention.ts';
import { type Decision, decide } from '../pool/decide.ts';
import type { ProxyRuntime } from '../pool/proxy-model.ts';
import { type ProxyReport, statementOf } from '../pool/proxy-report.ts';
import type { Roster } from '../pool/roster.ts';
import { poolStatus } from '../pool/status.ts';
import type { Clock } from '../runtime/clock.ts';
import { hostPort } from '../runtime/host-port.ts';
import { WallShift } from './pool-clock.ts';

/** What the controller hands on. */
export interface ControllerListener {
  /** HAProxy should be this from now on. Called only when it differs from before. */
  readonly onModel: (model: ProxyModel, revision: string) => void;
  /** The servers have changed in a way that must survive a restart. Called before `onModel`. */
  readonly onRoster: (roster: Roster) => void;
  readonly onStatus: (status: PoolStatus, previous: PoolStatus | null) => void;
}

/** What a controller begins with. */
export interface ControllerOptions {
  readonly pool: CccamPool;
  readonly runtime: ProxyRuntime;
  /** Servers of an earlier run. */
  readonly roster: Roster;
  readonly clock: Clock;
  /** What needs attention on this machine. */
  readonly hostAttentions: () => readonly Attention[];
}

/** Joins one pool with one proxy: from the pool and what was read back to what HAProxy should be, and to the status. */
export class Controller {
  readonly #listener: ControllerListener;
  readonly #clock: Clock;
  readonly #hostAttentions: () => readonly Attention[];
  readonly #shift: WallShift;
  #pool: CccamPool;
  #runtime: ProxyRuntime;
  #roster: Roster;
  #observation: ProxyObservation | null = null;
  #revision = '';
  #savedRoster = '';
  #status: PoolStatus | null = null;
  /** Why what is in the file now is not active, or null. */
  #refusal: string | null = null;

  constructor({ clock, hostAttentions, runtime, pool, roster }: ControllerOptions, listener: ControllerListener) {
    this.#pool = pool;
    this.#runtime = runtime;
    this.#roster = roster;
    this.#clock = clock;
    this.#hostAttentions = hostAttentions;
    this.#shift = new WallShift(clock);
    this.#listener = listener;
  }

  get status(): PoolStatus | null {
    return this.#status;
  }

  /** Whether the pool serves as a whole. */
  get isReady(): boolean {
    return this.#status?.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
  }

  /** Whether the pool serves and nothing is on its way: no server still has to be heard or checked for the first time. */
  get settled(): boolean {
    const undecided =
      this.#status?.backends.some((backend) =>
        backend.servers.some((server) => server.state === 'Joining' || server.state === 'Unknown'),
      ) ?? true;
    return this.isReady && !undecided;
  }

  get pool(): CccamPool {
    return this.#pool;
  }

  /** Another pool, or the same elsewhere. */
  accept(pool: CccamPool, runtime: ProxyRuntime): void {
    this.#refusal = null;
    this.#pool = pool;
    this.#runtime = runtime;
    this.decide();
  }

  /** What is in the file now was refused; the last valid pool stays active. @param why for people */
  refuse(why: string): void {
    this.#refusal = why;
  }

  /** The proxy was read: updates the status, and lets servers go that were seen empty. */
  observe(observation: ProxyObservation): void {
    this.#observation = observation;
    const { proxies, roster, servers } = this.decide();
    const { metadata, spec } = this.#pool;
    const previous = this.#status;
    this.#status = poolStatus(
      {
        generation: metadata.generation,
        backends: spec.backends,
        servers,
        proxies,
        desired: 1,
        address: hostPort(this.#runtime.bindAddress, spec.port),
        previous,
        context: {
          refusal: this.#refusal,
          paused: false,
          notOwned: [],
          rolling: [],
          attentions: [...this.#hostAttentions(), ...attentions(spec, roster, proxies)],
        },
        shiftMs: this.#shift.ms,
      },
      this.#clock.now(),
    );
    this.#listener.onStatus(this.#status, previous);
  }

  /** Decides by what is known now what HAProxy should be, and hands it on if it differs from before. */
  decide(): Decision {
    const facts = { spec: this.#pool.spec, roster: this.#roster, pods: [], proxies: [report(this.#observation)], runtime: this.#runtime };
    const decision = decide(facts, (model) => JSON.stringify(model), this.#clock.now());
    const { config, model, roster } = decision;
    this.#roster = roster;
    const text = JSON.stringify(roster);
    if (text !== this.#savedRoster) this.#listener.onRoster(roster);
    this.#savedRoster = text;
    if (config.revision !== this.#revision) this.#listener.onModel(model, config.revision);
    this.#revision = config.revision;
    return decision;
  }
}

/** The one proxy of this machine. Its limit of open files is the machine's, which says so itself. */
function report(observation: ProxyObservation | null): ProxyReport {
  return {
    name: 'HAProxy',
    uid: '',
    agent: null,
    ready: true,
    terminatingSince: null,
    gracePeriodMs: null,
    said:
      observation === null ? 'pending' : observation.error === null ? { ...statementOf(observation), maxConnections: 0 } : 'unreachable',
    error: observation?.error ?? null,
  };
}
