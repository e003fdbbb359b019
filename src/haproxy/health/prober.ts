import type { Clock } from '../../runtime/clock.ts';
import type { Probe, ProbeOutcome, ProbeTarget } from '../greeting.ts';

/** What came of a probe, and how many connections it stands for. */
export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  readonly connections: number;
}

/** How a server is probed. */
export interface ProbePlan {
  readonly target: ProbeTarget;
  /** Whether a server that does not answer at once is asked by a second connection, too. */
  readonly twice: boolean;
  /** Called when it does not answer at once, before the second connection. */
  readonly onSlow: () => void;
}

/** The second connection comes a little later: it is another try, not the same one twice. Servers greet within some milliseconds. */
const APART_MS = 100;
/** How much longer than its time limit a probe may take before the program itself is thought to have been stopped in between. */
const SLACK_MS = 200;
const LATE_TRIES = 3;

/** Makes the connections of probes. */
export class Prober {
  readonly #probe: Probe;
  readonly #clock: Clock;

  constructor(probe: Probe, clock: Clock) {
    this.#probe = probe;
    this.#clock = clock;
  }

  /**
   * Probes a server. A verdict that came far too late is none: after a pause of the whole program its timer fires before the greeting that
   * lies there is read.
   */
  async ask(plan: ProbePlan, signal: AbortSignal): Promise<ProbeResult> {
    const { target, twice } = plan;
    for (let tries = 1; ; tries += 1) {
      const begun = this.#clock.monotonic();
      const result = twice ? await this.#askTwice(plan, signal) : { outcome: await this.#probe(target, signal), connections: 1 };
      const late = this.#clock.monotonic() - begun > target.timeoutMs + SLACK_MS + (twice ? APART_MS : 0);
      if (!late || result.outcome.kind === 'greeted' || tries === LATE_TRIES || signal.aborted) return result;
    }
  }

  async #askTwice({ onSlow, target }: ProbePlan, signal: AbortSignal): Promise<ProbeResult> {
    const answered = new AbortController();
    const first = this.#probe(target, signal).finally(() => answered.abort());
    await this.#clock.sleep(APART_MS, answered.signal);
    if (answered.signal.aborted || signal.aborted) return { outcome: await first, connections: 1 };
    onSlow();
    const [one, other] = await Promise.all([first, this.#probe(target, signal)]);
    if (one.kind === other.kind) return { outcome: one, connections: 2 };
    return { outcome: other.kind === 'greeted' ? other : one, connections: 1 };
  }
}
