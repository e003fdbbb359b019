import { SimulatedClient, startClients } from '../../src/simulate/client.ts';

/** How clients of a box behave. */
export interface ClientOptions {
  readonly retryMs?: number;
  readonly patienceMs?: number | null;
  readonly requestEveryMs?: number;
  readonly from?: number | string;
  readonly host?: string;
  readonly onServed?: (label: string, waitedMs: number) => void;
  readonly onLost?: (label: string) => void;
}

/** The clients of a box, each with an address of its own. */
export class BoxClients {
  readonly #port: number;
  #over = new AbortController();
  readonly #done: Promise<void>[] = [];
  #address = 0x7f_64_00_01;

  /** @param port of 127.0.0.1, unless a client is told otherwise */
  constructor(port: number) {
    this.#port = port;
  }

  /** Starts clients that hold sessions and come back. */
  start(count: number, { from, host, onLost, onServed, patienceMs, requestEveryMs, retryMs }: ClientOptions): readonly SimulatedClient[] {
    const { clients, done } = startClients(
      count,
      {
        ...(from === undefined ? {} : { from: typeof from === 'string' ? from : dotted(from) }),
        host: host ?? '127.0.0.1',
        port: this.#port,
        retry: { kind: 'fixed', delayMs: retryMs ?? 100 },
        patienceMs: patienceMs ?? null,
        ...(requestEveryMs === undefined ? {} : { requestEveryMs }),
        ...(onServed === undefined ? {} : { onServed }),
        ...(onLost === undefined ? {} : { onLost }),
      },
      this.#over.signal,
      this.#address,
    );
    this.#address += count;
    this.#done.push(done);
    return clients;
  }

  /** Every client leaves. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#done.splice(0));
    this.#over = new AbortController();
  }

  /** Connects once and says who serves. @returns null when nobody did in time */
  async whoServes(limitMs: number, from = this.#address++, retryMs = 60_000): Promise<string | null> {
    const end = new AbortController();
    let label: string | null = null;
    const client = new SimulatedClient({
      host: '127.0.0.1',
      port: this.#port,
      from: dotted(from),
      retry: { kind: 'fixed', delayMs: retryMs },
      patienceMs: limitMs,
      onServed: (by) => {
        label = by;
        end.abort();
      },
    });
    await client.run(AbortSignal.any([end.signal, AbortSignal.timeout(limitMs)]));
    return label;
  }
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
