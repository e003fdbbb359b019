import type { ProxyObservation } from '../haproxy/observation.ts';
import { type BackendAgentAddress, type BackendDrainState, BackendLink, type BackendLinkOptions } from './backend-link.ts';

interface Kept {
  readonly link: BackendLink;
  readonly where: BackendAgentAddress;
  readonly end: AbortController;
}

/** Keeps a connection to the agent of every server that has one. */
export class BackendLinks {
  readonly #options: BackendLinkOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: BackendLinkOptions) {
    this.#options = options;
  }

  /** What the agents say, by server. */
  get states(): ReadonlyMap<string, BackendDrainState> {
    return new Map([...this.#kept].map(([server, { link }]) => [server, link.state]));
  }

  /** Keeps links to these servers' agents, and to no others. */
  follow(agents: ReadonlyMap<string, BackendAgentAddress>): void {
    for (const [server, { end, where }] of this.#kept) {
      const wanted = agents.get(server);
      if (wanted?.address === where.address && wanted.port === where.port) continue;
      end.abort();
      this.#kept.delete(server);
    }
    for (const [server, where] of agents) if (!this.#kept.has(server)) this.#keep(server, where);
  }

  /** Tells each agent whether new sessions go to its server, as it was just read back. */
  report(observation: ProxyObservation): void {
    if (observation.error !== null) return; // nothing was read: what was said last stands
    const routed = new Set(observation.servers.filter((server) => server.admin === 'ready').map((server) => server.name));
    for (const [server, { link }] of this.#kept) link.send(routed.has(server));
  }

  /** Ends every link. */
  async stop(): Promise<void> {
    for (const { end } of this.#kept.values()) end.abort();
    this.#kept.clear();
    await Promise.all(this.#running);
  }

  #keep(server: string, where: BackendAgentAddress): void {
    const end = new AbortController();
    const link = new BackendLink(server, where, this.#options);
    this.#kept.set(server, { link, where, end });
    const running = link.run(end.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
