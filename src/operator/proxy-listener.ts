import { PROXY_AGENT } from '../api/v1alpha1/index.ts';
import type { ProxyReport, ProxyStatement, ServerStatement } from '../pool/proxy-report.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { NdjsonClient } from '../runtime/ndjson-client.ts';
import { mostServers, OBSERVATIONS_PATH, observationLimits, type ReadObservationLine, readObservationLine } from '../wire/observation.ts';

const RETRY = { firstMs: 100, capMs: 5_000, jitter: 0.3 } as const;
const CONNECT_MS = 3_000;
/** The last report counts for so long after its connection is lost: an agent that restarts is back by then. */
const STALE_MS = 3_000;
/** A proxy that is connected and says nothing counts as unreachable after so long. */
const PENDING_MS = 5_000;

/** `state`: something that a decision may depend on; `counts`: numbers only. */
export type ChangeKind = 'state' | 'counts';

/** What a listener works with. */
export interface ProxyListenerOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** How many servers its pool has, as far as is known. */
  readonly servers: () => number;
  readonly onChange: (change: ChangeKind) => void;
  readonly onTrouble: (error: CccamError) => void;
}

type Snapshot = { -readonly [Field in keyof ProxyStatement]: ProxyStatement[Field] } & {
  error: string | null;
  readonly servers: Map<string, ServerStatement>;
};

/** Subscribes to what the agent of one proxy observes, and keeps the last of it. */
export class ProxyListener {
  readonly #options: ProxyListenerOptions;
  readonly #client: NdjsonClient<ReadObservationLine>;
  #latest: Snapshot | null = null;
  /** What this connection has said so far. */
  #fresh: Snapshot = emptySnapshot();
  /** Whether it is known what to think of the proxy: it has reported, or could not be reached. */
  #known = false;
  /** When the connection was lost, on the monotonic clock; null while there is one. */
  #lostAt: number | null = null;
  #streamError: string | null = null;

  constructor(options: ProxyListenerOptions) {
    this.#options = options;
    const { address, clock, onTrouble, random, servers } = options;
    this.#client = new NdjsonClient({
      host: address,
      port: PROXY_AGENT.port,
      path: OBSERVATIONS_PATH,
      limits: () => observationLimits(servers()),
      connectMs: CONNECT_MS,
      retry: RETRY,
      clock,
      random,
      onOpen: () => {
        this.#fresh = emptySnapshot();
      },
      parse: readObservationLine,
      onLine: (line) => this.#take(line),
      onLost: (error) => this.#lost(error),
      onTrouble,
      onRetry: () => {
        if (this.said === 'unreachable') options.onChange('state');
      },
    });
  }

  /** What is known of the proxy now. */
  get said(): ProxyReport['said'] {
    if (!this.#known) return 'pending';
    const stale = this.#lostAt !== null && this.#options.clock.monotonic() - this.#lostAt >= STALE_MS;
    if (this.#latest === null || this.#latest.error !== null || stale) return 'unreachable';
    const { error: _, ...statement } = this.#latest;
    return statement satisfies ProxyStatement;
  }

  /** Code of what keeps it from reporting more, or null. */
  get error(): string | null {
    return this.#streamError ?? this.#latest?.error ?? null;
  }

  /** Listens until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#client.run(signal), this.#stopWaiting(signal)]);
  }

  /** A proxy that answers and says nothing must not keep its pool waiting. */
  async #stopWaiting(signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(PENDING_MS, signal);
    if (!this.#known && !signal.aborted) this.#becomeKnown();
  }

  #lost(error: CccamError): void {
    this.#lostAt ??= this.#options.clock.monotonic();
    // That it cannot be reached the report says anyway; that it cannot be understood it does not.
    this.#streamError = error.code === 'CCP_STREAM_LOST' ? null : error.code;
    if (!this.#known) this.#becomeKnown();
  }

  #becomeKnown(): void {
    this.#known = true;
    this.#options.onChange('state');
  }

  #take(line: ReadObservationLine): void {
    const change = applyLine(this.#fresh, line, mostServers(this.#options.servers()));
    if (this.#latest !== this.#fresh) {
      if (line.kind !== 'synced') return; // until the snapshot is whole the last one stands
      this.#latest = this.#fresh;
      this.#lostAt = null;
      this.#streamError = null;
      this.#becomeKnown();
    } else if (change !== null) {
      this.#options.onChange(change);
    }
  }
}

function emptySnapshot(): Snapshot {
  return {
    configRevision: null,
    synced: false,
    error: null,
    localError: null,
    panic: false,
    clients: { addresses: 0, most: 0 },
    maxConnections: 0,
    refusedLately: { client: 0, full: 0 },
    localPorts: { taken: 0, of: 0 },
    servers: new Map(),
  };
}

/** @param most servers that it may report */
function applyLine(snapshot: Snapshot, line: ReadObservationLine, most: number): ChangeKind | null {
  switch (line.kind) {
    case 'proxy': {
      const { kind: _, refused, ...proxy } = line;
      Object.assign(snapshot, proxy, { refusedLately: refused.lately });
      if (snapshot.error !== null) snapshot.servers.clear(); // what it could not read is unknown, and comes again as a whole
      return 'state';
    }
    case 'server': {
      const before = snapshot.servers.get(line.name);
      if (before === undefined && snapshot.servers.size >= most) throw new RangeError(`more than ${most} servers`);
      const after = serverStatement(line);
      snapshot.servers.set(line.name, after);
      return before !== undefined && stateOf(before) === stateOf(after) ? 'counts' : 'state';
    }
    case 'gone':
      snapshot.servers.delete(line.name);
      return 'state';
    case 'synced':
    case 'heartbeat':
      return null;
  }
}

function serverStatement(line: Extract<ReadObservationLine, { kind: 'server' }>): ServerStatement {
  const { kind: _kind, name: _name, maxConnections, sessionsInOldWorkers, ...rest } = line;
  return { ...rest, mayHold: rest.admin === 'ready' ? maxConnections + sessionsInOldWorkers : rest.sessions };
}

function stateOf({ sessions, ...rest }: ServerStatement): string {
  return JSON.stringify([sessions > 0, rest]);
}
