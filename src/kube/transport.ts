import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Clock, TimeLimit } from '../runtime/clock.ts';
import { CccamError, systemCode } from '../runtime/errors.ts';
import { type AnswerShape, parseAnswer, TooLargeError } from './answer.ts';
import { KubeApiError, refusedError, unreachableError } from './api-error.ts';
import type { ApiServerAccess, Credentials } from './api-server-access.ts';
import type { TokenBucket } from './token-bucket.ts';

/** Verb of a call. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One call. */
export interface ApiRequest {
  readonly method: Method;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Content type of the body; JSON unless said. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Called in the very moment before the call is sent; throws to keep it from being sent. */
  readonly guard?: () => void;
  /** How long the whole call may take, in milliseconds; ten seconds unless said. */
  readonly timeoutMs?: number;
  /** Largest answer; 16 MiB unless said. */
  readonly maxBytes?: number;
  /** What the answer is; an object unless said. */
  readonly shape?: AnswerShape;
  /** How many values may be in the answer; any unless said. */
  readonly maxValues?: number;
}

/** Told of each call when it has ended; `status` is null when there was no answer. */
export type CallListener = (method: Method | 'WATCH', status: number | null, ms: number) => void;

/** What calls to the API server need. */
export interface TransportOptions {
  readonly clock: Clock;
  readonly access: ApiServerAccess;
  readonly bucket: TokenBucket;
  readonly userAgent: string;
  readonly onCall?: CallListener;
  /** Told the date that an answer carries, and how long it took. */
  readonly onDate?: (date: string | undefined, tookMs: number) => void;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Reason of a stream that was ended because nothing came. */
export const SILENT = 'Silent';
/** Reason of an answer that was larger than it may be, and was not read to its end. */
export const TOO_LARGE = 'TooLarge';
/** One object at most: etcd takes 1.5 MB, of which JSON may make six times as much. */
export const MAX_OBJECT_BYTES = 16 * 1_048_576;
/** Of a call, unless it or the transport says otherwise. */
const TIMEOUT_MS = 10_000;
/** Below the five minutes after which the API server and most load balancers drop an idle connection. */
const KEEP_IDLE_MS = 90_000;
const MAX_SOCKETS = 16;

/**
 * Calls to one API server over a pool of kept connections, each with a time limit; and streams, each on a connection of its own, so
 * that neither a dead nor a busy one touches the others.
 */
export class Transport {
  readonly #options: TransportOptions;
  #pool: { readonly agent: HttpAgent; readonly tls: string } | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Tells how long something takes. */
  get clock(): Clock {
    return this.#options.clock;
  }

  /**
   * Calls the API server and reads the answer.
   *
   * @returns the answer as JSON
   * @throws KubeApiError for every answer but a success, for no answer, and for one that took too long
   */
  async request(request: ApiRequest): Promise<unknown> {
    await this.#options.bucket.take(request.signal);
    const call = `${request.method} ${request.path}`;
    using limit = new TimeLimit(this.#options.clock, request.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS, request.signal);
    const begun = performance.now();
    try {
      const credentials = await this.#options.access.credentials();
      const agent = this.#agent(credentials);
      request.guard?.();
      const response = await this.#send(request, credentials, agent, limit.signal);
      const body = await readAll(response, request.maxBytes ?? MAX_OBJECT_BYTES, limit.signal);
      this.#options.onCall?.(request.method, response.statusCode ?? null, performance.now() - begun);
      if (!isSuccess(response)) throw this.#refused(call, response, body);
      return parseAnswer(body, request.shape ?? 'object', request.maxValues);
    } catch (thrown) {
      if (thrown instanceof CccamError && !(thrown instanceof KubeApiError)) throw thrown; // nothing was sent
      if (thrown instanceof TooLargeError) throw new KubeApiError(call, { status: null, reason: TOO_LARGE, message: thrown.message });
      const error = unreachableError(call, limit.passed ? new Error('it took too long') : thrown);
      if (error.status === null) {
        this.#options.onCall?.(request.method, null, performance.now() - begun);
        this.#dropPool(); // whatever swallowed this call would swallow the next one on the same connection
      }
      throw error;
    }
  }

  /**
   * Opens a stream, such as a watch. It ends when the signal is aborted.
   *
   * @returns the answer, to be read chunk by chunk
   * @throws KubeApiError as `request` does
   */
  async stream(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
    await this.#options.bucket.take(signal);
    const call = `WATCH ${path}`;
    const begun = performance.now();
    const limit = new TimeLimit(this.#options.clock, this.#options.timeoutMs ?? TIMEOUT_MS, signal);
    try {
      const credentials = await this.#options.access.credentials();
      const response = await this.#send({ method: 'GET', path, query, signal }, credentials, null, limit.signal);
      response.once('close', () => limit[Symbol.dispose]());
      this.#options.onCall?.('WATCH', response.statusCode ?? null, performance.now() - begun);
      if (!isSuccess(response)) throw this.#refused(call, response, await readAll(response, 65_536, limit.signal));
      limit.lift(); // from now on, silence counts
      return response;
    } catch (thrown) {
      limit[Symbol.dispose]();
      const error = unreachableError(call, limit.passed ? new Error('it took too long') : thrown);
      if (error.status === null) this.#options.onCall?.('WATCH', null, performance.now() - begun);
      throw error;
    }
  }

  /** Closes the kept connections. */
  close(): void {
    this.#dropPool();
  }

  #refused(call: string, response: IncomingMessage, body: string): KubeApiError {
    const error = refusedError(call, { status: response.statusCode ?? 0, headers: response.headers, body });
    if (error.status === 401) this.#options.access.forget();
    if (error.retryAfterMs !== null) this.#options.bucket.hold(error.retryAfterMs);
    return error;
  }

  /** @param agent the pool, or null for a connection of its own */
  async #send(request: ApiRequest, credentials: Credentials, agent: HttpAgent | null, signal: AbortSignal): Promise<IncomingMessage> {
    const { server } = this.#options.access;
    const url = new URL(server);
    url.pathname = `${server.pathname.replace(/\/$/, '')}${request.path}`;
    url.search = new URLSearchParams(request.query).toString();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': this.#options.userAgent,
      ...credentials.headers,
      ...(body === undefined
        ? {}
        : { 'content-type': request.contentType ?? 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    };
    const begun = performance.now();
    return await new Promise((resolve, reject) => {
      const options = { method: request.method, headers, signal, agent: agent ?? (false as const), ...credentials.tls };
      const sent = url.protocol === 'http:' ? httpRequest(url, options) : httpsRequest(url, options);
      sent.setNoDelay(true);
      sent.on('response', (response) => {
        this.#options.onDate?.(response.headers.date, performance.now() - begun);
        resolve(response);
      });
      sent.on('error', (thrown) => {
        // The server closed a kept connection in the moment in which we took it. What is repeated must come out the same twice.
        const again = sent.reusedSocket && systemCode(thrown) === 'ECONNRESET' && request.method !== 'POST' && !signal.aborted;
        if (!again) return reject(thrown);
        try {
          request.guard?.();
        } catch (refused) {
          return reject(refused);
        }
        this.#send(request, credentials, null, signal).then(resolve, reject);
      });
      sent.end(body);
    });
  }

  #agent(credentials: Credentials): HttpAgent {
    const tls = JSON.stringify(credentials.tls);
    if (this.#pool === undefined || this.#pool.tls !== tls) {
      this.#dropPool();
      const options = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: KEEP_IDLE_MS, ...credentials.tls };
      const agent = this.#options.access.server.protocol === 'http:' ? new HttpAgent(options) : new HttpsAgent(options);
      this.#pool = { agent, tls };
    }
    return this.#pool.agent;
  }

  /** Connections of calls that are under way live on until they have ended. */
  #dropPool(): void {
    const idle = Object.values(this.#pool?.agent.freeSockets ?? {}).flatMap((sockets) => sockets ?? []);
    this.#pool = undefined;
    for (const socket of idle) socket.destroy();
  }
}

function isSuccess(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300;
}

async function readAll(response: IncomingMessage, limit: number, signal: AbortSignal): Promise<string> {
  const stop = (): void => void response.destroy(new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response) {
      const bytes = Buffer.from(chunk as Uint8Array);
      size += bytes.length;
      if (size > limit) throw new TooLargeError(`the answer is larger than ${limit} bytes`);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
