import type { Bell } from '../runtime/clock.ts';
import type { ActualServer, ActualWorker } from './actual.ts';
import type { Probe } from './admission.ts';
import { probeServer } from './greeting.ts';
import type { CheckModel } from './model.ts';

/**
 * Watches the counter of clients that got no greeting. When it moves, the server is asked at once, long before HAProxy's next check;
 * one that stays silent to us as well is hung. One that greets us was only slow for that client, and stays.
 */
export class GreetingGuard {
  readonly #probe: Probe;
  readonly #bell: Bell;
  #pid = 0;
  readonly #seen = new Map<string, number>();
  readonly #asking = new Set<string>();
  readonly #hung = new Set<string>();

  /** @param bell rung when a server was found hung */
  constructor(bell: Bell, probe: Probe = probeServer) {
    this.#bell = bell;
    this.#probe = probe;
  }

  /** Looks at fresh counters, and asks the servers whose counter has moved. */
  look(worker: ActualWorker, check: CheckModel, signal: AbortSignal): void {
    if (check.probe !== 'greeting') return;
    if (worker.pid !== this.#pid) {
      this.#pid = worker.pid; // a new worker counts from 0
      this.#seen.clear();
    }
    for (const server of worker.servers) {
      const moved = server.withoutGreeting > (this.#seen.get(server.name) ?? 0);
      this.#seen.set(server.name, server.withoutGreeting);
      if (moved && server.operational === 'up' && server.admin !== 'maint' && !this.#asking.has(server.name))
        this.#ask(server, check, signal);
    }
    for (const name of this.#seen.keys()) {
      if (!worker.servers.some((server) => server.name === name)) this.#seen.delete(name);
    }
  }

  /** Takes the names of the servers found hung since the last call. */
  takeHung(): string[] {
    const names = [...this.#hung];
    this.#hung.clear();
    return names;
  }

  #ask(server: ActualServer, check: CheckModel, signal: AbortSignal): void {
    this.#asking.add(server.name);
    this.#probe({ address: server.address, port: server.port, probe: 'greeting', timeoutMs: check.timeoutMs }, signal)
      .then((outcome) => {
        if (outcome.kind !== 'greeted' && !signal.aborted) this.#hung.add(server.name);
      })
      .finally(() => {
        this.#asking.delete(server.name);
        this.#bell.ring();
      })
      .catch(() => this.#seen.delete(server.name)); // a probe that fails in itself proves nothing: the counter is looked at again
  }
}
