import type { Socket } from 'node:net';

/** What connections may be open at once. */
export interface ConnectionBounds {
  /** In all. */
  readonly connections: number;
  /** From one address. */
  readonly perAddress: number;
}

interface Open {
  readonly address: string;
  /** Whether a request of it is being answered. */
  isBusy: boolean;
}

/**
 * Keeps the connections of a server within bounds. Beyond them the one goes that has been idle for longest, and not the newest comer: else
 * a client that opens many and says nothing shuts out all others. One whose request is being answered stays.
 */
export class ConnectionLimits {
  readonly #bounds: ConnectionBounds;
  /** Those that have been idle for longest come first. */
  readonly #open = new Map<Socket, Open>();

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  /** A connection was opened. */
  opened(socket: Socket): void {
    const address = socket.remoteAddress ?? ''; // asked for now: a closed socket has forgotten it
    const ofAddress = [...this.#open].filter(([, open]) => open.address === address);
    this.#open.set(socket, { address, isBusy: false });
    socket.once('close', () => this.#open.delete(socket));
    if (ofAddress.length >= this.#bounds.perAddress) this.#closeOne(ofAddress, socket);
    else if (this.#open.size > this.#bounds.connections) this.#closeOne([...this.#open], socket);
  }

  /** A request came over a connection. @returns false when an earlier one is still being answered */
  begin(socket: Socket): boolean {
    const open = this.#open.get(socket);
    if (open === undefined || open.isBusy) return false;
    open.isBusy = true;
    return true;
  }

  /** The request was answered. */
  end(socket: Socket): void {
    const open = this.#open.get(socket);
    if (open === undefined) return;
    this.#open.delete(socket); // and to the end of the order
    this.#open.set(socket, { ...open, isBusy: false });
  }

  #closeOne(among: readonly (readonly [Socket, Open])[], newest: Socket): void {
    const [idle] = among.find(([socket, { isBusy }]) => !isBusy && socket !== newest) ?? [newest];
    this.#open.delete(idle);
    idle.destroy();
  }
}
