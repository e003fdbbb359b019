import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { type Backoff, backoffMs } from './backoff.ts';
import type { Bell } from './clock.ts';
import { CccamError, messageOf } from './errors.ts';
import { hostPort } from './host-port.ts';
import { Meter, type NdjsonStream, readNdjson, streamLost } from './ndjson-reader.ts';

/** What the client says over its own side of the connection. */
export interface Outgoing {
  /** What is so now. */
  readonly line: () => object;
  /** Rung when that has changed. */
  readonly bell: Bell;
  /** Said again so often, in milliseconds, as a sign of life. */
  readonly everyMs: number;
}

/** Where a stream is subscribed to, and what becomes of it. */
export interface NdjsonClientOptions<Line> extends Omit<NdjsonStream<Line>, 'meter' | 'peer'> {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Present where the client speaks, too: it then sends a POST. */
  readonly outgoing?: Outgoing;
  /** How long the far end may take to answer, in milliseconds. */
  readonly connectMs: number;
  readonly retry: Backoff;
  readonly random: () => number;
  /** A connection stands; lines follow. */
  readonly onOpen?: () => void;
  /** The connection could not be made or has ended. It is made again after a while. */
  readonly onLost?: (error: CccamError) => void;
  /** The same for the log: once per code, until a connection has lasted. */
  readonly onTrouble: (error: CccamError) => void;
  /** Called before each further try. */
  readonly onRetry?: () => void;
}

/** A peer that sends too much is asked again seldom: each try costs what it sends. */
const EXCESS_RETRY = { firstMs: 2_000, capMs: 60_000, jitter: 0.3 } as const;

/**
 * Keeps one stream of lines of JSON open, and opens it again whenever it is lost.
 */
export class NdjsonClient<Line> {
  readonly #options: NdjsonClientOptions<Line>;
  readonly #peer: string;
  readonly #meter: Meter;

  constructor(options: NdjsonClientOptions<Line>) {
    this.#options = options;
    this.#meter = new Meter(options.clock);
    const { host, path, port } = options;
    this.#peer = `http://${hostPort(host, port)}${path}`;
  }

  /** Works until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, limits, onLost, onRetry, onTrouble, random, retry } = this.#options;
    let failures = 0;
    const reported = new Set<string>();
    while (!signal.aborted) {
      const begun = clock.monotonic();
      const error = await this.#subscribe(signal);
      if (signal.aborted) return;
      if (clock.monotonic() - begun > limits().silenceMs) {
        // A connection that lasted was a good one.
        failures = 0;
        reported.clear();
      }
      onLost?.(error);
      if (!reported.has(error.code)) onTrouble(error);
      reported.add(error.code);
      failures += 1;
      await clock.sleep(backoffMs(error.code === 'CCP_STREAM_LIMIT' ? EXCESS_RETRY : retry, failures, random()), signal);
      if (!signal.aborted) onRetry?.();
    }
  }

  async #subscribe(signal: AbortSignal): Promise<CccamError> {
    const ended = new AbortController();
    const end = (): void => ended.abort();
    signal.addEventListener('abort', end, { once: true });
    try {
      await this.#converse(ended);
      return streamLost(this.#peer, 'ended the connection');
    } catch (thrown) {
      return thrown instanceof CccamError ? thrown : streamLost(this.#peer, messageOf(thrown));
    } finally {
      signal.removeEventListener('abort', end); // the signal lives for long, and the tries may be many
    }
  }

  async #converse(ended: AbortController): Promise<void> {
    const { outgoing, onOpen } = this.#options;
    const { request, response } = await this.#open(ended.signal);
    onOpen?.();
    const speaking = outgoing === undefined ? undefined : this.#speak(request, outgoing, ended.signal);
    try {
      await readNdjson(response, { ...this.#options, peer: this.#peer, meter: this.#meter });
    } finally {
      ended.abort();
      request.destroy();
      await speaking;
    }
  }

  async #speak(request: ClientRequest, { bell, everyMs, line }: Outgoing, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      request.write(`${JSON.stringify(line())}\n`);
      await bell.wait(this.#options.clock, everyMs, signal);
    }
  }

  async #open(signal: AbortSignal): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    const { clock, connectMs, host, outgoing, path, port } = this.#options;
    const answered = new AbortController();
    try {
      return await new Promise((resolve, reject) => {
        const method = outgoing === undefined ? 'GET' : 'POST';
        const request = httpRequest({ host, port, path, method, agent: false, signal });
        request.on('error', reject);
        // Node closes the connection of an unasked-for 101, and of a request that was destroyed, without an error.
        request.once('upgrade', (_response, socket) => {
          socket.destroy();
          reject(new Error('answered 101'));
        });
        request.once('close', () => reject(new Error('closed the connection')));
        request.once('response', (response) => {
          if (response.statusCode === 200) return resolve({ request, response });
          request.destroy();
          reject(new Error(`answered ${response.statusCode}`));
        });
        clock.sleep(connectMs, answered.signal).then(() => {
          if (!answered.signal.aborted) request.destroy(new Error(`no answer within ${connectMs / 1_000} s`));
        }, reject);
        if (outgoing === undefined) request.end();
        else request.flushHeaders();
      });
    } finally {
      answered.abort();
    }
  }
}
