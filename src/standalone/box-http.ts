import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { type HttpServer, type Route, serveHttp } from '../runtime/http-server.ts';
import type { RunEvent } from './output.ts';

const RETRY_MS = 10_000;

/** What serves observations and metrics on this machine. */
export interface BoxHttpOptions {
  /** Port on 127.0.0.1; 0 takes any. */
  readonly port: number;
  readonly routes: ReadonlyMap<string, Route>;
  readonly clock: Clock;
  readonly onEvent: (event: RunEvent) => void;
}

/**
 * Serves observations and metrics. A port that is taken does not keep the pool from serving, for every user of the machine could take it: it
 * is tried again until it is free.
 */
export class BoxHttp {
  readonly #options: BoxHttpOptions;
  #server: HttpServer | null = null;

  constructor(options: BoxHttpOptions) {
    this.#options = options;
  }

  /** Listens, or says that it cannot. */
  async open(): Promise<void> {
    const error = await this.#listen();
    if (error === null) return;
    const message = `${error.message}; the pool is served all the same, without observations and metrics. ${error.remedy}`;
    this.#options.onEvent({ severity: 'Warning', reason: 'NotListening', subject: 'http', message });
  }

  /** Tries again until it listens or the signal is aborted. */
  async keepTrying(signal: AbortSignal): Promise<void> {
    while (this.#server === null && !signal.aborted) {
      await this.#options.clock.sleep(RETRY_MS, signal);
      if (!signal.aborted) await this.#listen();
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** @returns why it cannot listen, or null */
  async #listen(): Promise<CccamError | null> {
    const { onEvent, port, routes } = this.#options;
    try {
      this.#server = await serveHttp({ host: '127.0.0.1', port, option: '--http-port' }, routes);
    } catch (thrown) {
      if (thrown instanceof CccamError && thrown.code === 'CCP_SETTING_INVALID') return thrown;
      throw thrown;
    }
    const subject = `http://127.0.0.1:${this.#server.port}`;
    onEvent({ severity: 'Normal', reason: 'Listening', subject, message: '/v1/observations /metrics /healthz /readyz' });
    return null;
  }
}
