import type { Bell, Clock } from '../runtime/clock.ts';
import type { Report } from './event.ts';
import { type ProbeOutcome, type ProbeTarget, probeServer } from './greeting.ts';
import type { CheckModel, WantedServer } from './model.ts';

const FIRST_RETRY_MS = 250;

export type Probe = (target: ProbeTarget, signal?: AbortSignal) => Promise<ProbeOutcome>;

/** Asks servers that should enter rotation whether they greet, again and again until they do or are not wanted any more. */
export class Admission {
  readonly #clock: Clock;
  readonly #bell: Bell;
  readonly #report: Report;
  readonly #probe: Probe;
  /** Servers being asked, by name, each with what ends its asking. */
  readonly #asking = new Map<string, AbortController>();
  readonly #admitted = new Set<string>();
  #check: CheckModel | undefined;

  /** @param bell rung when a server has greeted, so that it is set ready at once */
  constructor(clock: Clock, bell: Bell, report: Report, probe: Probe = probeServer) {
    this.#clock = clock;
    this.#bell = bell;
    this.#report = report;
    this.#probe = probe;
  }

  /** Servers that have greeted since they were last out of rotation. */
  get admitted(): ReadonlySet<string> {
    return this.#admitted;
  }

  /** Names every server that waits for admission now; all others are forgotten, so that each return to rotation is asked anew. */
  await(servers: readonly WantedServer[], check: CheckModel): void {
    this.#check = check;
    const names = new Set(servers.map((server) => server.name));
    for (const [name, asking] of this.#asking) {
      if (!names.has(name)) asking.abort();
    }
    for (const name of this.#admitted) {
      if (!names.has(name)) this.#admitted.delete(name);
    }
    for (const server of servers) {
      if (!this.#asking.has(server.name) && !this.#admitted.has(server.name)) this.#ask(server);
    }
  }

  /** Forgets a server that was just set ready. */
  done(name: string): void {
    this.#admitted.delete(name);
  }

  /** Ends all asking. */
  stop(): void {
    for (const asking of this.#asking.values()) asking.abort();
  }

  #ask(server: WantedServer): void {
    const asking = new AbortController();
    this.#asking.set(server.name, asking);
    this.#askUntilGreeted(server, asking.signal)
      .finally(() => {
        this.#asking.delete(server.name);
        this.#bell.ring();
      })
      .catch((thrown: unknown) => {
        this.#report({
          severity: 'Warning',
          reason: 'NotAdmitted',
          server: server.name,
          message: `the probe itself failed: ${String(thrown)}`,
        });
      });
  }

  async #askUntilGreeted(server: WantedServer, signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(2 * delayMs, this.#check?.intervalMs ?? delayMs)) {
      const check = this.#check; // the latest: a server that is too slow for an old one may be fine now
      if (check === undefined) return;
      const outcome = await this.#probe(
        { address: server.address, port: server.port, probe: check.probe, timeoutMs: check.timeoutMs },
        signal,
      );
      if (signal.aborted) return;
      if (outcome.kind === 'greeted') {
        this.#admitted.add(server.name);
        return;
      }
      if (delayMs === FIRST_RETRY_MS) {
        this.#report({
          severity: 'Warning',
          reason: 'NotAdmitted',
          server: server.name,
          message: `does not greet (${outcome.kind}); it stays out of rotation`,
        });
      }
      await this.#clock.sleep(delayMs, signal);
    }
  }
}
