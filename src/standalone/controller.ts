import type { CccamPool, PoolStatus } from '../api/v1alpha1/index.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import type { ProxyObservation, ServerObservation } from '../haproxy/observation.ts';
import { type Attention, attentions } from '../pool/attention.ts';
import { type ProxyRuntime, proxyModel } from '../pool/proxy-model.ts';
import { nextRoster, type Roster, type SessionCount } from '../pool/roster.ts';
import { type ProxyFacts, poolStatus, type ServerFacts } from '../pool/status.ts';
import type { Clock } from '../runtime/clock.ts';
import { hostPort } from '../runtime/host-port.ts';
import { WallShift } from './pool-clock.ts';

/** What the controller hands on. */
export interface ControllerListener {
  /** HAProxy should be this from now on. Called only when it differs from before. */
  readonly onModel: (model: ProxyModel) => void;
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
  /** What the owner of the pool should mind about the machine. */
  readonly minds: () => readonly Attention[];
}

/** Joins one pool with one proxy: from the pool and what was read back to what HAProxy should be, and to the status. */
export class Controller {
  readonly #listener: ControllerListener;
  readonly #clock: Clock;
  readonly #minds: () => readonly Attention[];
  readonly #shift: WallShift;
  #pool: CccamPool;
  #runtime: ProxyRuntime;
  #roster: Roster;
  #observation: ProxyObservation | null = null;
  #model = '';
  #savedRoster = '';
  #status: PoolStatus | null = null;
  /** Why what is in the file now is not in force, or null. */
  #refusal: string | null = null;

  constructor({ clock, minds, runtime, pool, roster }: ControllerOptions, listener: ControllerListener) {
    this.#pool = pool;
    this.#runtime = runtime;
    this.#roster = roster;
    this.#clock = clock;
    this.#minds = minds;
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

  /** What is in the file now was refused; the pool of before goes on. @param why for people */
  refuse(why: string): void {
    this.#refusal = why;
  }

  /** The proxy was read: updates the status, and lets servers go that were seen empty. */
  observe(observation: ProxyObservation): void {
    this.#observation = observation;
    this.decide();
    const previous = this.#status;
    const { bindAddress } = this.#runtime;
    const address = hostPort(bindAddress, this.#pool.spec.port);
    const proxies = proxyFacts(observation);
    const minds = [...this.#minds(), ...attentions(this.#pool.spec, this.#roster, proxies)];
    this.#status = poolStatus(
      { generation: this.#pool.metadata.generation, backends: this.#pool.spec.backends },
      shown(this.#roster, this.#shift.ms),
      proxies,
      address,
      previous,
      this.#clock.now() + this.#shift.ms,
      { refusal: this.#refusal, paused: false, notOwned: [], rolling: [], attentions: minds },
    );
    this.#listener.onStatus(this.#status, previous);
  }

  /** Decides what HAProxy should be by what is known now, and hands it on if it differs from before. */
  decide(): void {
    this.#roster = nextRoster(this.#pool.spec, this.#roster, sessionCounts(this.#observation), this.#clock.now());
    const text = JSON.stringify(this.#roster);
    if (text !== this.#savedRoster) this.#listener.onRoster(this.#roster);
    this.#savedRoster = text;
    const model = proxyModel(this.#pool.spec, this.#roster, this.#runtime);
    const modelText = JSON.stringify(model);
    if (modelText !== this.#model) this.#listener.onModel(model);
    this.#model = modelText;
  }
}

/** The roster with times as a person's watch shows them. */
function shown(roster: Roster, shiftMs: number): Roster {
  return roster.map((entry) =>
    entry.drain.kind === 'active' ? entry : { ...entry, drain: { ...entry.drain, since: entry.drain.since + shiftMs } },
  );
}

function sessionCounts(observation: ProxyObservation | null): ReadonlyMap<string, SessionCount> {
  if (observation === null || observation.error !== null) return new Map();
  return new Map(
    observation.servers.map((server) => [
      server.name,
      { sessions: server.counted ? server.sessions : null, outOfRotation: server.admin !== 'ready' },
    ]),
  );
}

function proxyFacts(observation: ProxyObservation): ProxyFacts {
  const reachable = observation.error === null ? 1 : 0;
  return {
    desired: 1,
    reachable,
    synced: observation.synced ? 1 : 0,
    errors: [],
    lagging: observation.synced ? 0 : 1,
    isolated: [],
    sessions: observation.servers.reduce((sum, { sessions }) => sum + sessions, 0),
    clients: observation.clients,
    refusedLately: observation.refused.lately,
    localPorts: observation.localPorts,
    maxConnections: 0, // the machine's own limit of files is told of by itself
    panicking: observation.panic ? ['HAProxy'] : [],
    localErrors: observation.localError === null ? [] : [observation.localError],
    servers: new Map(observation.servers.map((server) => [server.name, serverFacts(server)])),
  };
}

function serverFacts(server: ServerObservation): ServerFacts {
  return {
    sessions: server.sessions,
    counted: server.counted,
    outOfRotation: server.admin !== 'ready',
    inRotation: server.inRotation,
    staysInRotation: server.inRotation,
    health: server.health,
    cause: server.cause,
    learnedLimit: server.learnedLimit,
    limitIsSure: server.limitIsSure,
  };
}
