import { connect, type Socket } from 'node:net';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { ANSWER_BYTES, GREETING_BYTES, HELLO, KEEPALIVE, KEEPALIVE_EVERY_MS, labelIn } from './protocol.ts';

/** How a client comes back after its session has ended: `fixed` like OSCam behind a proxy, `doubling` like OSCam after a refused connect. */
export type RetryPolicy =
  | { readonly kind: 'fixed'; readonly delayMs: number }
  | { readonly kind: 'doubling'; readonly firstMs: number; readonly capMs: number };

/** How a simulated client behaves. */
export interface SimulatedClientOptions {
  readonly host: string;
  readonly port: number;
  /** Address that it comes from, so that a stick table can tell clients apart; any by default. */
  readonly from?: string;
  readonly retry: RetryPolicy;
  /** How long it waits to be served before it tries again, or null to wait for ever as some firmware does. */
  readonly patienceMs: number | null;
  /** How often it sends something that the server answers, in milliseconds; keepalives by default. */
  readonly requestEveryMs?: number;
  readonly clock?: Clock;
  /** Called when it begins to be served. @param waitedMs since it lost its last session or first tried */
  readonly onServed?: (label: string, waitedMs: number) => void;
  /** Called when a session that was being served ends, but for its own leaving. */
  readonly onLost?: (label: string) => void;
}

/** A set-top box: holds one session, and comes back when it loses it. */
export class SimulatedClient {
  readonly #options: SimulatedClientOptions;
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #servedBy: string | null = null;
  #lost = 0;
  #attempts = 0;
  #answeredAt: number | null = null;
  #leaving = false;

  constructor(options: SimulatedClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Label of the server that serves it now, or null. */
  get servedBy(): string | null {
    return this.#servedBy;
  }

  /** Sessions that ended without its doing. */
  get lost(): number {
    return this.#lost;
  }

  /** Connections that it has tried. */
  get attempts(): number {
    return this.#attempts;
  }

  /** When it was last sent anything in the session that it has, on the monotonic clock; null without one. */
  get answeredAt(): number | null {
    return this.#servedBy === null ? null : this.#answeredAt;
  }

  /** Closes its own session, if any, so that it comes back at once as a new one. */
  reconnect(): void {
    this.#leaving = true;
    this.#socket?.destroy();
  }

  /** Holds a session until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let idleSince = this.#clock.monotonic();
    while (!signal.aborted) {
      const served = await this.#session(signal, idleSince);
      if (signal.aborted) return;
      if (served) idleSince = this.#clock.monotonic();
      failures = served ? 1 : failures + 1;
      await this.#clock.sleep(delayMs(this.#options.retry, failures), signal);
    }
  }

  /** One connection, from its beginning to its end. @returns whether it was served */
  async #session(signal: AbortSignal, idleSince: number): Promise<boolean> {
    const { from, host, onLost, onServed, patienceMs, port } = this.#options;
    this.#attempts += 1;
    const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
    this.#socket = socket;
    const ended = new AbortController();
    const leave = (): void => {
      socket.destroy();
    };
    signal.addEventListener('abort', leave, { once: true });
    let received = 0;
    let answer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      const before = received;
      this.#answeredAt = this.#clock.monotonic();
      received += chunk.length;
      if (before < GREETING_BYTES && received >= GREETING_BYTES) socket.write(HELLO);
      if (this.#servedBy !== null || received < GREETING_BYTES) return;
      answer = Buffer.concat([answer, chunk.subarray(Math.max(0, GREETING_BYTES - before))]);
      if (answer.length < ANSWER_BYTES) return;
      this.#servedBy = labelIn(answer);
      onServed?.(this.#servedBy, this.#clock.monotonic() - idleSince);
    });
    socket.on('error', () => socket.destroy()); // refused or reset: the close below says so
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        ended.abort();
        resolve();
      });
    });
    socket.once('end', leave);
    const patience = patienceMs === null ? undefined : this.#loosePatience(socket, patienceMs, ended.signal);
    const alive = this.#keepAlive(socket, ended.signal);
    await Promise.all([closed, patience, alive]);
    signal.removeEventListener('abort', leave);
    const label = this.#servedBy;
    this.#servedBy = null;
    const lost = label !== null && !signal.aborted && !this.#leaving;
    this.#leaving = false;
    if (lost) {
      this.#lost += 1;
      onLost?.(label);
    }
    return label !== null;
  }

  async #loosePatience(socket: Socket, patienceMs: number, ended: AbortSignal): Promise<void> {
    await this.#clock.sleep(patienceMs, ended);
    if (this.#servedBy === null) socket.destroy();
  }

  async #keepAlive(socket: Socket, ended: AbortSignal): Promise<void> {
    const everyMs = this.#options.requestEveryMs ?? KEEPALIVE_EVERY_MS;
    while (!ended.aborted) {
      await this.#clock.sleep(everyMs, ended);
      if (!ended.aborted && this.#servedBy !== null) socket.write(KEEPALIVE);
    }
  }
}

/** Wait before the next try after `failures` in a row, ≥ 1. */
export function delayMs(retry: RetryPolicy, failures: number): number {
  if (retry.kind === 'fixed') return retry.delayMs;
  return Math.min(retry.firstMs * 2 ** Math.min(failures - 1, 30), retry.capMs);
}

/** Starts `count` clients, each from an address of its own in 127.0.0.0/8 unless one is given. @returns them, and what ends when all have ended */
export function startClients(
  count: number,
  options: SimulatedClientOptions,
  signal: AbortSignal,
  firstAddress = 0x7f_64_00_01,
): { readonly clients: readonly SimulatedClient[]; readonly done: Promise<void> } {
  const clients = Array.from(
    { length: count },
    (_, index) => new SimulatedClient({ ...options, from: options.from ?? dotted(firstAddress + index) }),
  );
  const done = Promise.all(clients.map((client) => client.run(signal))).then(() => undefined);
  return { clients, done };
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
