import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../runtime/clock.ts';
import { sendText } from '../runtime/http-server.ts';
import { lines } from '../runtime/lines.ts';
import { hasKey } from '../wire/agent-key.ts';
import { type BackendLine, LINK_LINE_BYTES, LINK_SILENT_MS, type ProxyLine, readProxyLine } from '../wire/agent-link.ts';

/** More than any pool has; whoever comes after them is told no. */
const MOST_LINKS = 100;

interface Link {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** When it was heard last, on the clock that never jumps. */
  heardAt: number;
  /** What the proxy said last, or null before it has said anything. */
  said: ProxyLine | null;
}

/** The proxies that keep a connection to this agent. */
export class ProxyLinks {
  readonly #links = new Set<Link>();
  readonly #key: string;
  readonly #clock: Clock;
  readonly #onNews: () => void;
  #told: BackendLine;

  /** @param key what a link must be asked for with @param onNews a proxy has come, gone, or changed what it does */
  constructor(first: BackendLine, key: string, clock: Clock, onNews: () => void) {
    this.#told = first;
    this.#key = key;
    this.#clock = clock;
    this.#onNews = onNews;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Whether one of them would send new sessions, or has not said yet whether it would. */
  get routing(): boolean {
    return [...this.#links].some(({ said }) => said?.routes !== false);
  }

  /** Tells every proxy, and lets go of those that were not heard for long: a socket's own timer counts what we write, too. */
  tell(line: BackendLine): void {
    this.#told = line;
    const now = this.#clock.monotonic();
    for (const { heardAt, request, response } of this.#links) {
      if (now - heardAt > LINK_SILENT_MS) request.destroy();
      else response.write(text(line));
    }
  }

  /** Keeps a connection for as long as the proxy does. */
  async accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!hasKey(request.headers, this.#key)) return sendText(response, 403, 'the key is missing or wrong\n');
    if (this.#links.size >= MOST_LINKS) return sendText(response, 503, 'there are too many links\n');
    const link: Link = { request, response, heardAt: this.#clock.monotonic(), said: null };
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.write(text(this.#told));
    this.#links.add(link);
    try {
      for await (const line of lines(request, LINK_LINE_BYTES)) {
        const before = link.said?.routes;
        link.heardAt = this.#clock.monotonic();
        link.said = readProxyLine(line);
        if (before !== link.said.routes) this.#onNews();
      }
    } catch {
      // It was cut, or is none of ours: either way it is over.
    } finally {
      this.#links.delete(link);
      response.destroy();
      this.#onNews();
    }
  }
}

function text(line: BackendLine): string {
  return `${JSON.stringify(line)}\n`;
}
