import type { Bell, Clock } from '../runtime/clock.ts';
import type { ActualServer, ActualWorker } from './actual.ts';
import type { Probe } from './admission.ts';
import { type ProbeOutcome, probeServer } from './greeting.ts';
import type { CheckModel } from './model.ts';

/** Refusals come at once and may be a hiccup, so they are believed only when they repeat; silence has already lasted its whole time. */
const TRIES = 3;
const BETWEEN_TRIES_MS = 100;
/** How much longer than its time limit a question may take before it is thought to have been stopped in between. */
const SLACK_MS = 200;

/**
 * Watches the counters that move when clients have trouble with a server: no greeting, refused, reset. When one moves, the server
 * is asked at once, long before HAProxy's next check; one that does not serve us either is to be taken out. One that greets us was
 * only slow for that client, and stays.
 *
 * HAProxy's own `observe layer4` would do half of this, but on 3.0 the client whose failed connection takes the server down is
 * left hanging when `on-marked-down shutdown-sessions` is set (measured on 3.0.11; 2.6 is free of it).
 */
export class TroubleWatch {
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #probe: Probe;
  #pid = 0;
  readonly #seen = new Map<string, number>();
  readonly #asking = new Set<string>();
  readonly #found = new Map<string, ProbeOutcome['kind']>();

  /** @param bell rung when a server was found not to serve */
  constructor(clock: Clock, bell: Bell, probe: Probe = probeServer) {
    this.#clock = clock;
    this.#bell = bell;
    this.#probe = probe;
  }

  /** Looks at fresh counters, and asks the servers whose counters have moved. */
  look(worker: ActualWorker, check: CheckModel, signal: AbortSignal): void {
    if (worker.pid !== this.#pid) {
      this.#pid = worker.pid; // a new worker counts from 0
      this.#seen.clear();
      this.#found.clear();
    }
    for (const server of worker.servers) {
      const moved = server.troubles > (this.#seen.get(server.name) ?? 0);
      this.#seen.set(server.name, server.troubles);
      const asks = moved && server.operational === 'up' && server.admin !== 'maint' && !this.#asking.has(server.name);
      if (asks) this.#ask(server, check, signal);
    }
    for (const name of this.#seen.keys()) {
      if (!worker.servers.some((server) => server.name === name)) this.#seen.delete(name);
    }
  }

  /** Takes the servers found not to serve since the last call, each with what it did. */
  takeFound(): ReadonlyMap<string, ProbeOutcome['kind']> {
    const found = new Map(this.#found);
    this.#found.clear();
    return found;
  }

  #ask(server: ActualServer, check: CheckModel, signal: AbortSignal): void {
    this.#asking.add(server.name);
    this.#outcome(server, check, signal)
      .then((outcome) => {
        if (outcome !== 'greeted' && !signal.aborted) this.#found.set(server.name, outcome);
      })
      .finally(() => {
        this.#asking.delete(server.name);
        this.#bell.ring();
      })
      .catch(() => this.#seen.delete(server.name)); // a probe that fails in itself proves nothing: the counter is looked at again
  }

  async #outcome(server: ActualServer, check: CheckModel, signal: AbortSignal): Promise<ProbeOutcome['kind']> {
    const target = { address: server.address, port: server.port, probe: check.probe, timeoutMs: check.timeoutMs };
    for (let tries = 1; ; tries += 1) {
      const begun = this.#clock.monotonic();
      const { kind } = await this.#probe(target, signal);
      // After a pause of the whole program its timer fires before the greeting that lies there is read: such a verdict is none.
      const late = this.#clock.monotonic() - begun > check.timeoutMs + SLACK_MS;
      if (late && kind !== 'greeted' && tries < TRIES && !signal.aborted) continue;
      if (kind === 'greeted' || kind === 'silent' || kind === 'unreachable' || tries === TRIES || signal.aborted) return kind;
      await this.#clock.sleep(BETWEEN_TRIES_MS, signal);
    }
  }
}
