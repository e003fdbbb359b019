import { get, type IncomingMessage } from 'node:http';
import * as z from 'zod';
import { PROXY_AGENT } from '../api/v1alpha1/index.ts';
import { HEALTH_CAUSES, HEALTH_STATES } from '../haproxy/health/health-state.ts';
import { backoffMs } from '../kube/backoff.ts';
import type { ProxyReport, ProxyStatement, ServerStatement } from '../pool/proxy-report.ts';
import type { Clock } from '../runtime/clock.ts';
import { lines } from '../runtime/lines.ts';

const RETRY = { firstMs: 100, capMs: 5_000, jitter: 0.3 } as const;
const CONNECT_MS = 3_000;
/** An agent gives a sign of life every ten seconds. */
const SILENCE_MS = 25_000;
/** What a proxy said last counts for so long after its connection has gone: an agent that restarts is back by then. */
const STALE_MS = 3_000;
const MAX_LINE_BYTES = 1_048_576;
const PENDING_MS = 5_000;
/** More servers than a pool can have: 128 backends of 100 pods. */
const MAX_SERVERS = 20_000;

const line = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('proxy'),
    configRevision: z.string().max(64).nullable(),
    synced: z.boolean(),
    error: z
      .string()
      .max(64)
      .regex(/^[A-Z_]+$/)
      .nullable(),
    localError: z
      .string()
      .max(32)
      .regex(/^[A-Z0-9_]+$/)
      .nullable(),
    panic: z.boolean(),
    refused: z.object({ lately: z.object({ client: z.int().min(0), full: z.int().min(0) }) }),
    clients: z.object({ addresses: z.int().min(0).max(10_000_000), most: z.int().min(0).max(10_000_000) }),
    localPorts: z.object({ taken: z.int().min(0).max(100_000), of: z.int().min(0).max(100_000) }),
    maxConnections: z.int().min(0).max(10_000_000).default(0), // agents of before do not say it
  }),
  z.object({
    kind: z.literal('server'),
    name: z.string().max(253),
    admin: z.enum(['ready', 'drain', 'maint']),
    operational: z.string(),
    inRotation: z.boolean(),
    maxConnections: z.int().min(0).max(10_000_000),
    sessionsInOldWorkers: z.int().min(0).max(10_000_000),
    sessions: z.int().min(0).max(10_000_000),
    counted: z.boolean(),
    health: z.enum(HEALTH_STATES).nullable(),
    cause: z.enum(HEALTH_CAUSES).nullable(),
    learnedLimit: z.int().min(0).max(10_000_000).nullable(),
    limitIsSure: z.boolean(),
  }),
  z.object({ kind: z.literal('gone'), name: z.string().max(253) }),
  z.object({ kind: z.literal('synced') }),
  z.object({ kind: z.literal('heartbeat') }),
]);

interface Heard {
  configRevision: string | null;
  synced: boolean;
  error: string | null;
  localError: string | null;
  panic: boolean;
  clients: ProxyStatement['clients'];
  localPorts: ProxyStatement['localPorts'];
  maxConnections: number;
  refusedLately: ProxyStatement['refusedLately'];
  readonly servers: Map<string, ServerStatement>;
}

/** `state`: something that a decision may hang on; `counts`: numbers only. */
export type ChangeKind = 'state' | 'counts';

/** Listens to what the agent of one proxy tells, and keeps the last of it. Comes back whenever the connection is lost. */
export class ProxyListener {
  readonly #address: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onChange: (change: ChangeKind) => void;
  #heard: Heard | null = null;
  #asked = false;
  /** When the connection was lost, on the clock that never jumps; null while there is one. */
  #lostAt: number | null = null;

  constructor(address: string, clock: Clock, random: () => number, onChange: (change: ChangeKind) => void) {
    this.#address = address;
    this.#clock = clock;
    this.#random = random;
    this.#onChange = onChange;
  }

  /** What is known of the proxy now. */
  get said(): ProxyReport['said'] {
    if (!this.#asked) return 'pending';
    const stale = this.#lostAt !== null && this.#clock.monotonic() - this.#lostAt >= STALE_MS;
    if (this.#heard === null || this.#heard.error !== null || stale) return 'unreachable';
    const { error: _, ...statement } = this.#heard;
    return statement satisfies ProxyStatement;
  }

  /** Code of what keeps it from telling more, or null. */
  get error(): string | null {
    return this.#heard?.error ?? null;
  }

  /** Listens until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keepListening(signal), this.#stopWaiting(signal)]);
  }

  /** A proxy that answers and says nothing must not keep its pool waiting. */
  async #stopWaiting(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(PENDING_MS, signal);
    if (!this.#asked && !signal.aborted) this.#settled();
  }

  async #keepListening(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const before = this.#clock.monotonic();
      await this.#listen(signal).catch(() => undefined); // whatever broke it, the answer is to come back
      if (signal.aborted) return;
      this.#lostAt ??= this.#clock.monotonic();
      if (!this.#asked) this.#settled();
      failures = this.#clock.monotonic() - before > SILENCE_MS ? 1 : failures + 1;
      const waitMs = backoffMs(RETRY, failures, this.#random());
      await this.#clock.sleep(waitMs, signal);
      if (!signal.aborted && this.said === 'unreachable') this.#onChange('state');
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const response = await this.#open(signal);
    const fresh: Heard = {
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
    try {
      for await (const text of lines(response, MAX_LINE_BYTES)) {
        const said = line.parse(JSON.parse(text));
        const change = take(fresh, said);
        if (this.#heard !== fresh) {
          if (said.kind !== 'synced') continue; // the lines before it are a snapshot; until it is whole the last one stands
          this.#heard = fresh;
          this.#lostAt = null;
          this.#settled();
        } else if (change !== null) {
          this.#onChange(change);
        }
      }
    } finally {
      response.destroy();
      if (this.#heard === fresh) this.#lostAt = this.#clock.monotonic();
    }
  }

  #settled(): void {
    this.#asked = true;
    this.#onChange('state');
  }

  async #open(signal: AbortSignal): Promise<IncomingMessage> {
    const host = this.#address.includes(':') ? `[${this.#address}]` : this.#address;
    const url = `http://${host}:${PROXY_AGENT.port}/v1/observations`;
    return await new Promise((resolve, reject) => {
      const request = get(url, { agent: false, signal }, (response) => {
        request.setTimeout(0);
        response.setTimeout(SILENCE_MS, () => response.destroy(new Error('silent')));
        if (response.statusCode === 200) resolve(response);
        else {
          response.destroy();
          reject(new Error(`answered ${response.statusCode}`));
        }
      });
      request.setTimeout(CONNECT_MS, () => request.destroy(new Error('does not answer')));
      request.on('error', reject);
    });
  }
}

function take(heard: Heard, said: z.output<typeof line>): ChangeKind | null {
  switch (said.kind) {
    case 'proxy':
      heard.configRevision = said.configRevision;
      heard.synced = said.synced;
      heard.error = said.error;
      heard.localError = said.localError;
      heard.panic = said.panic;
      heard.clients = said.clients;
      heard.refusedLately = said.refused.lately;
      heard.localPorts = said.localPorts;
      heard.maxConnections = said.maxConnections;
      if (heard.error !== null) heard.servers.clear(); // what it could not read is unknown, and it tells all of it again
      return 'state';
    case 'server': {
      if (heard.servers.size >= MAX_SERVERS) throw new RangeError('more servers than a pool can have');
      const before = heard.servers.get(said.name);
      const after = {
        sessions: said.sessions,
        counted: said.counted,
        admin: said.admin,
        inRotation: said.inRotation,
        mayHold: said.admin === 'ready' ? said.maxConnections + said.sessionsInOldWorkers : said.sessions,
        health: said.health,
        cause: said.cause,
        learnedLimit: said.learnedLimit,
        limitIsSure: said.limitIsSure,
      };
      heard.servers.set(said.name, after);
      return before !== undefined && stateOf(before) === stateOf(after) ? 'counts' : 'state';
    }
    case 'gone':
      heard.servers.delete(said.name);
      return 'state';
    case 'synced':
    case 'heartbeat':
      return null;
  }
}

function stateOf({ sessions, ...rest }: ServerStatement): string {
  return JSON.stringify([sessions > 0, rest]);
}
