import { Bell, type Clock } from '../runtime/clock.ts';
import type { CccamError } from '../runtime/errors.ts';
import { NdjsonClient } from '../runtime/ndjson-client.ts';
import { type BackendLine, LINK_HEARTBEAT_MS, LINK_LIMITS, LINK_PATH, readBackendLine } from '../wire/agent-link.ts';

const RETRY = { firstMs: 400, capMs: 5_000, jitter: 0.2 } as const;
const CONNECT_MS = 3_000;

/** Where a server's agent is. */
export interface BackendAgentAddress {
  readonly address: string;
  readonly port: number;
}

/** What a server's agent says of it. */
export interface BackendDrainState {
  readonly draining: boolean;
  /** When its sessions are to be closed, in milliseconds since the epoch of this process's clock; null for not at all. */
  readonly deadlineAt: number | null;
}

/** What the links of a proxy work with. */
export interface BackendLinkOptions {
  /** Name of this pod. */
  readonly proxy: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** An agent says something else than before. */
  readonly onChange: () => void;
  /** A link was lost for another reason than the last time. */
  readonly onTrouble: (server: string, error: CccamError) => void;
}

/**
 * A connection to the agent of one server, kept for as long as the server is there. What the agent said last stands while the connection is
 * lost: an agent that ends after it has said that its pod terminates has not taken that back.
 */
export class BackendLink {
  readonly #client: NdjsonClient<BackendLine>;
  readonly #options: BackendLinkOptions;
  readonly #bell = new Bell();
  /** Until something was read back, new sessions may be sent there. */
  #routes = true;
  #state: BackendDrainState = { draining: false, deadlineAt: null };

  /** @param server its name */
  constructor(server: string, where: BackendAgentAddress, options: BackendLinkOptions) {
    this.#options = options;
    this.#client = new NdjsonClient({
      host: where.address,
      port: where.port,
      path: LINK_PATH,
      limits: () => LINK_LIMITS,
      connectMs: CONNECT_MS,
      retry: RETRY,
      clock: options.clock,
      random: options.random,
      outgoing: { line: () => ({ proxy: options.proxy, routes: this.#routes }), bell: this.#bell, everyMs: LINK_HEARTBEAT_MS },
      parse: readBackendLine,
      onLine: (line) => this.#take(line),
      onTrouble: (error) => options.onTrouble(server, error),
    });
  }

  get state(): BackendDrainState {
    return this.#state;
  }

  /** Tells the agent whether new sessions would go to its server. */
  send(routes: boolean): void {
    if (routes === this.#routes) return;
    this.#routes = routes;
    this.#bell.ring();
  }

  /** Keeps the connection until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#client.run(signal);
  }

  #take({ deadlineInMs, draining }: BackendLine): void {
    const before = this.#state;
    if (draining === before.draining && (deadlineInMs === null) === (before.deadlineAt === null)) return; // the first deadline stands
    this.#state = { draining, deadlineAt: deadlineInMs === null ? null : this.#options.clock.now() + deadlineInMs };
    this.#options.onChange();
  }
}
