import type { ActualWorker } from './actual.ts';
import type { Difference } from './diff.ts';
import type { ProxyModel } from './model.ts';

/** Something that was changed behind our back. */
export interface Drift {
  readonly server: string;
  readonly what: string;
}

/** Tells our own changes from other people's: a worker that matched a model and now differs from the same model was changed by hand. */
export class DriftWatch {
  #matched: ProxyModel | undefined;
  #pid = 0;
  #ready: ReadonlySet<string> = new Set();

  /** What of a difference is not our doing. A new worker has matched nothing yet, so its differences are no drift. */
  judge(wanted: ProxyModel, worker: ActualWorker, difference: Difference): Drift[] {
    if (this.#matched !== wanted || this.#pid !== worker.pid) return [];
    const changed = difference.commands.flatMap((command): Drift[] => {
      if (command.kind === 'forget-clients' || (command.kind === 'state' && command.state === 'ready')) return [];
      return [{ server: command.kind === 'add' ? command.server.name : command.name, what: command.kind }];
    });
    const takenOut = difference.awaiting.filter(
      (server) => this.#ready.has(server.name) && !changed.some((drift) => drift.server === server.name),
    );
    return [...changed, ...takenOut.map((server) => ({ server: server.name, what: 'state' }))];
  }

  /** Remembers that a worker runs just what is wanted. */
  matches(wanted: ProxyModel, worker: ActualWorker): void {
    this.#matched = wanted;
    this.#pid = worker.pid;
    this.#ready = new Set(worker.servers.filter((server) => server.admin === 'ready').map((server) => server.name));
  }
}
