import type { Clock } from '../runtime/clock.ts';
import { type LocalPorts, readLocalPorts } from './local-ports.ts';
import type { WantedServer } from './model.ts';

const EVERY_MS = 5_000;

/** Knows how many local ports are taken, without looking each time that it is asked. */
export class LocalPortWatch {
  readonly #clock: Clock;
  #at = Number.NEGATIVE_INFINITY;
  #latest: LocalPorts = { taken: 0, of: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was read at most some seconds ago. */
  async read(servers: readonly WantedServer[]): Promise<LocalPorts> {
    if (this.#clock.monotonic() - this.#at < EVERY_MS) return this.#latest;
    this.#at = this.#clock.monotonic();
    this.#latest = await readLocalPorts(servers);
    return this.#latest;
  }
}
