import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { Bell, type Clock } from '../runtime/clock.ts';
import { lines } from '../runtime/lines.ts';
import { KEY_HEADER } from '../wire/agent-key.ts';
import {
  type BackendLine,
  LINK_ALIVE_MS,
  LINK_LINE_BYTES,
  LINK_PATH,
  LINK_SILENT_MS,
  type ProxyLine,
  readBackendLine,
} from '../wire/agent-link.ts';

const RETRY_MS = { first: 200, cap: 5_000 } as const;
const CONNECT_MS = 3_000;

/** Where a server's agent is. */
export interface BackendAgentAddress {
  readonly address: string;
  readonly port: number;
  /** What it must be asked with. */
  readonly key: string;
}

/** What a server's agent has said of it. */
export interface BackendWord {
  readonly draining: boolean;
  /** When its sessions are to be closed, in milliseconds since the epoch of this machine; null for not at all. */
  readonly closeAfter: number | null;
}

/**
 * A connection to the agent of one server, kept for as long as the server is there, and made anew when it is lost. What was said last stands
 * meanwhile: an agent that ends after it said that its pod ends has not taken it back.
 */
export class BackendLink {
  readonly #where: BackendAgentAddress;
  readonly #proxy: string;
  readonly #clock: Clock;
  readonly #onWord: () => void;
  readonly #bell = new Bell();
  /** Until something was read back, somebody may be sent there. */
  #routes = true;
  #told: boolean | null = null;
  #word: BackendWord = { draining: false, closeAfter: null };

  /** @param proxy name of this pod @param onWord the agent says something else than before */
  constructor(where: BackendAgentAddress, proxy: string, clock: Clock, onWord: () => void) {
    this.#where = where;
    this.#proxy = proxy;
    this.#clock = clock;
    this.#onWord = onWord;
  }

  get word(): BackendWord {
    return this.#word;
  }

  /** Tells the agent whether new sessions would go to its server. */
  tell(routes: boolean): void {
    this.#routes = routes;
    if (routes !== this.#told) this.#bell.ring();
  }

  /** Keeps the connection until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let delayMs: number = RETRY_MS.first;
    while (!signal.aborted) {
      const begun = this.#clock.monotonic();
      await this.#connect(signal).catch(() => undefined); // refused, cut or silent: in each case it is tried again
      delayMs = this.#clock.monotonic() - begun > LINK_SILENT_MS ? RETRY_MS.first : Math.min(2 * delayMs, RETRY_MS.cap);
      await this.#clock.sleep(delayMs, signal);
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const end = (): void => ended.abort();
    signal.addEventListener('abort', end, { once: true });
    try {
      await this.#converse(ended);
    } finally {
      signal.removeEventListener('abort', end); // the signal lives as long as the server, the tries may be many
    }
  }

  async #converse(ended: AbortController): Promise<void> {
    const { request, response } = await this.#open(ended.signal);
    const heard = { at: this.#clock.monotonic() };
    const talking = this.#talk(request, heard, ended);
    try {
      for await (const text of lines(response, LINK_LINE_BYTES)) {
        heard.at = this.#clock.monotonic();
        this.#take(readBackendLine(text));
      }
    } finally {
      ended.abort();
      request.destroy();
      await talking;
    }
  }

  async #open(signal: AbortSignal): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    const { address, key, port } = this.#where;
    return await new Promise((resolve, reject) => {
      const headers = { [KEY_HEADER]: key };
      const request = httpRequest({ host: address, port, path: LINK_PATH, method: 'POST', headers, agent: false, signal });
      request.setTimeout(CONNECT_MS, () => request.destroy(new Error('does not answer')));
      request.on('error', reject);
      request.once('response', (response) => {
        request.setTimeout(0);
        if (response.statusCode === 200) return resolve({ request, response });
        request.destroy();
        reject(new Error(`answered ${response.statusCode}`));
      });
      request.flushHeaders();
    });
  }

  /** Says what is so now and at every change, and now and then that it is still there. Ends a connection on which nothing is heard. */
  async #talk(request: ClientRequest, heard: { readonly at: number }, ended: AbortController): Promise<void> {
    while (!ended.signal.aborted) {
      const line: ProxyLine = { proxy: this.#proxy, routes: this.#routes };
      this.#told = line.routes;
      request.write(`${JSON.stringify(line)}\n`);
      await this.#bell.wait(this.#clock, LINK_ALIVE_MS, ended.signal);
      if (this.#clock.monotonic() - heard.at > LINK_SILENT_MS) ended.abort();
    }
    this.#told = null;
  }

  #take({ closeInMs, draining }: BackendLine): void {
    const before = this.#word;
    if (draining === before.draining && (closeInMs === null) === (before.closeAfter === null)) return; // the first time that was said counts
    this.#word = { draining, closeAfter: closeInMs === null ? null : this.#clock.now() + closeInMs };
    this.#onWord();
  }
}
