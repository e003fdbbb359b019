import type { ActualServer } from '../actual.ts';
import type { ClientErrors } from './server-health.ts';

const NONE: ClientErrors = { all: 0, silent: 0 };

/** What clients have met since the last look, out of counters that go on for as long as a worker lives. */
export class ClientErrorCounts {
  readonly #totals = new Map<string, ClientErrors>();

  /** Another worker counts from 0. */
  clear(): void {
    this.#totals.clear();
  }

  /** Forgets servers that no longer serve. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#totals.keys()) if (!names.has(name)) this.#totals.delete(name);
  }

  /** Starts with what was counted so far: it is not known to be new. */
  begin(name: string, running: ActualServer | undefined): void {
    this.#totals.set(name, totalOf(running));
  }

  /** What has come since the last call. */
  take(name: string, running: ActualServer | undefined): ClientErrors {
    const before = this.#totals.get(name) ?? NONE;
    const total = totalOf(running);
    this.#totals.set(name, total);
    return { all: Math.max(0, total.all - before.all), silent: Math.max(0, total.silent - before.silent) };
  }
}

function totalOf(running: ActualServer | undefined): ClientErrors {
  return running === undefined ? NONE : { all: running.clientErrors, silent: running.withoutGreeting };
}
