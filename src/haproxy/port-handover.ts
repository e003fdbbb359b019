import type { ActualWorker } from './actual.ts';
import type { Endpoint, Structure } from './model.ts';
import { bindText } from './render.ts';

/** How long the previous port is kept beside the new one: a slip in the file, or half of it, must not refuse every client. */
const OVERLAP_MS = 30_000;

/** Moves clients from one port to another: the new one is listened on before the old one is let go. */
export class PortHandover {
  /** Since when the new port is listened on beside the old one, on the monotonic clock. */
  #since: number | null = null;

  /**
   * The structure that should run now, with the previous port where that must stay for a while.
   *
   * @param now on the monotonic clock
   */
  structure(wanted: Structure, { binds }: ActualWorker, now: number): Structure {
    const target = bindText(wanted.bind);
    const before = binds.filter((text) => text !== target).flatMap((text) => endpointOn(text, wanted.bind.address));
    if (before.length === 0 || binds[0] !== target) this.#since = null;
    if (before.length === 0) return wanted;
    if (binds[0] === target) this.#since ??= now;
    if (this.#since !== null && now - this.#since >= OVERLAP_MS) return wanted;
    return { ...wanted, alsoBind: before };
  }
}

/** Another address is another machine's, or may be: only a port is kept. */
function endpointOn(text: string, address: string): Endpoint[] {
  const port = Number(text.slice(text.lastIndexOf(':') + 1));
  return text === bindText({ address, port: port || 1 }) ? [{ address, port }] : [];
}
