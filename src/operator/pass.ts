import type { KubeClient } from '../kube/client.ts';
import type { ClusterView } from '../pool/cluster-view.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ReconcileState } from './reconcile-state.ts';
import type { Watches } from './watches.ts';

/** Names under which our fields stand in an object. */
export const MANAGER = 'cccam-operator';

/** What it takes to read and write objects. */
export interface ApiTools {
  readonly client: KubeClient;
  readonly watches: Pick<Watches, 'put' | 'settle'>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One pass over a pool. */
export interface Pass<Tools extends ApiTools = ApiTools> {
  readonly tools: Tools;
  readonly view: ClusterView;
  readonly state: ReconcileState;
  readonly signal: AbortSignal;
}

/** Work on several objects of which none keeps the others from their turn. */
export class Attempts {
  readonly #failures: unknown[] = [];

  /** Does a piece of work. @returns null when it failed */
  async try<T>(work: Promise<T>): Promise<T | null> {
    return await work.catch((thrown: unknown) => {
      this.#failures.push(thrown);
      return null;
    });
  }

  /** @throws what failed: the one error, or an AggregateError of all of them */
  finish(): void {
    const [first] = this.#failures;
    if (this.#failures.length > 1) throw new AggregateError(this.#failures, `${this.#failures.length} objects could not be written`);
    if (first !== undefined) throw first;
  }
}
