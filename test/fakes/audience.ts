import { SimulatedClient } from '../../src/simulate/client.ts';

/** Where a client connects to, and from which address. */
export interface Way {
  readonly host: string;
  readonly port: number;
  readonly from: string;
}

/** Clients that came together and can leave together. */
export interface Viewers {
  readonly clients: readonly SimulatedClient[];
  leave(): Promise<void>;
}

/** Clients of a test, with a count of what they have lost. */
export class Audience {
  readonly #clients: SimulatedClient[] = [];
  readonly #leave: (() => Promise<void>)[] = [];
  /** Sessions that ended without their clients' doing: when, and which server it was. */
  readonly losses: string[] = [];

  /** @param way for a client, by its place among these and by its number among all, from 1 */
  connect(count: number, way: (index: number, number: number) => Way): Viewers {
    const before = this.#clients.length + 1;
    const clients = Array.from(
      { length: count },
      (_, index) =>
        new SimulatedClient({
          ...way(index, before + index),
          retry: { kind: 'fixed', delayMs: 100 },
          patienceMs: null,
          onLost: (label) => this.losses.push(`${new Date().toISOString()} ${label}`),
        }),
    );
    this.#clients.push(...clients);
    const end = new AbortController();
    const running = Promise.all(clients.map((client) => client.run(end.signal)));
    const leave = async (): Promise<void> => {
      end.abort();
      await running;
    };
    this.#leave.push(leave);
    return { clients, leave };
  }

  /** Every client leaves. */
  async leaveAll(): Promise<void> {
    await Promise.all(this.#leave.splice(0).map((leave) => leave()));
  }

  /** Sessions that ended without their clients' doing. */
  get lost(): number {
    return this.losses.length;
  }
}
