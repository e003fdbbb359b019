import type { ProxyObservation } from '../haproxy/observation.ts';
import type { Clock } from '../runtime/clock.ts';
import { type BackendAgentAddress, BackendLink, type BackendWord } from './backend-link.ts';

interface Kept {
  readonly link: BackendLink;
  readonly where: BackendAgentAddress;
  readonly end: AbortController;
}

/** Keeps a connection to the agent of every server that has one. */
export class BackendLinks {
  readonly #proxy: string;
  readonly #clock: Clock;
  readonly #onWord: () => void;
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Set<Promise<void>>();

  /** @param proxy name of this pod @param onWord an agent says something else than before */
  constructor(proxy: string, clock: Clock, onWord: () => void) {
    this.#proxy = proxy;
    this.#clock = clock;
    this.#onWord = onWord;
  }

  /** What the agents have said, by server. */
  get words(): ReadonlyMap<string, BackendWord> {
    return new Map([...this.#kept].map(([server, { link }]) => [server, link.word]));
  }

  /** Names every server that has an agent now. */
  follow(agents: ReadonlyMap<string, BackendAgentAddress>): void {
    for (const [server, { end, where }] of this.#kept) {
      const wanted = agents.get(server);
      if (wanted?.address === where.address && wanted.port === where.port && wanted.key === where.key) continue;
      end.abort();
      this.#kept.delete(server);
    }
    for (const [server, where] of agents) if (!this.#kept.has(server)) this.#keep(server, where);
  }

  /** Tells each agent whether new sessions go to its server, as it was just read back. */
  tell(observation: ProxyObservation): void {
    if (observation.error !== null) return; // nothing was read: what was said last stands
    const routed = new Set(observation.servers.filter((server) => server.admin === 'ready').map((server) => server.name));
    for (const [server, { link }] of this.#kept) link.tell(routed.has(server));
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    for (const { end } of this.#kept.values()) end.abort();
    this.#kept.clear();
    await Promise.all(this.#running);
  }

  #keep(server: string, where: BackendAgentAddress): void {
    const end = new AbortController();
    const link = new BackendLink(where, this.#proxy, this.#clock, this.#onWord);
    this.#kept.set(server, { link, where, end });
    const running = link.run(end.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
