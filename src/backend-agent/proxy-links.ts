import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { NdjsonPublisher } from '../runtime/ndjson-publisher.ts';
import { readNdjson } from '../runtime/ndjson-reader.ts';
import { type BackendLine, LINK_LIMITS, type ProxyLine, readProxyLine } from '../wire/agent-link.ts';

/** More than the proxies of a pool on one node. */
const LIMITS = { subscribers: 96, perAddress: 16, backlogBytes: 65_536, behindMs: 60_000 } as const;

/** What the links of a server work with. */
export interface ProxyLinksOptions {
  /** What proxies are told until something else is published. */
  readonly first: BackendLine;
  readonly clock: Clock;
  /** A proxy has come, gone, or changed what it does. */
  readonly onChange: () => void;
  /** A link has ended because of what the proxy sent. */
  readonly onLost: (error: CccamError) => void;
}

/** The proxies that keep a connection to this agent. */
export class ProxyLinks {
  readonly #options: ProxyLinksOptions;
  readonly #publisher: NdjsonPublisher;
  /** What each proxy said last, or null before it has said anything. */
  readonly #said = new Map<IncomingMessage, ProxyLine | null>();
  #latest: BackendLine;

  constructor(options: ProxyLinksOptions) {
    this.#options = options;
    this.#publisher = new NdjsonPublisher(LIMITS, options.clock);
    this.#latest = options.first;
  }

  get size(): number {
    return this.#said.size;
  }

  /** Whether one of them would send new sessions, or has not said yet whether it would. */
  get routing(): boolean {
    return [...this.#said.values()].some((said) => said?.routes !== false);
  }

  /** Tells every proxy. */
  publish(line: BackendLine): void {
    this.#latest = line;
    this.#publisher.publish([line]);
  }

  /** Keeps a connection for as long as the proxy does. */
  async accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, onChange, onLost } = this.#options;
    if (!this.#publisher.add(response, [this.#latest])) return;
    this.#said.set(request, null);
    const peer = `proxy at ${request.socket.remoteAddress ?? 'an unknown address'}`;
    try {
      await readNdjson(request, {
        peer,
        clock,
        limits: () => LINK_LIMITS,
        parse: readProxyLine,
        onLine: (line) => this.#take(request, line),
      });
    } catch (thrown) {
      if (!(thrown instanceof CccamError)) throw thrown;
      if (thrown.code !== 'CCP_STREAM_LOST') onLost(thrown); // proxies come and go
    } finally {
      this.#said.delete(request);
      response.destroy();
      onChange();
    }
  }

  #take(request: IncomingMessage, line: ProxyLine): void {
    const before = this.#said.get(request);
    this.#said.set(request, line);
    if (before?.routes !== line.routes) this.#options.onChange();
  }
}
