import type { ActualWorker } from './actual.ts';
import type { Command } from './command.ts';
import type { Difference } from './diff.ts';
import type { EffectiveModel } from './effective.ts';

/** Something that was changed behind our back. */
export interface Drift {
  /** Null for the worker as a whole. */
  readonly server: string | null;
  readonly what: string;
}

/** What changes by itself: clients come and go, earlier workers lose their sessions, HAProxy's own checks take servers down. */
const OURS: readonly Command['kind'][] = ['forget-clients', 'remember-client', 'client-held', 'held', 'health'];

/** Tells our own changes from other people's: a worker that matched a model and now differs from the same model was changed by hand. */
export class DriftWatch {
  /** Text of what it matched: the same content may come as another object. */
  #matched = '';
  #pid = 0;

  /** What of a difference is not our doing. A new worker has matched nothing yet, so its differences are no drift. */
  judge(wanted: EffectiveModel, worker: ActualWorker, difference: Difference): Drift[] {
    if (this.#matched !== JSON.stringify(wanted.servers) || this.#pid !== worker.pid) return [];
    return difference.commands.flatMap((command): Drift[] => {
      if (OURS.includes(command.kind)) return [];
      const server = 'name' in command ? command.name : command.kind === 'add' ? command.server.name : null;
      return [{ server, what: command.kind }];
    });
  }

  /** Remembers that a worker runs just what is wanted. */
  matches(wanted: EffectiveModel, worker: ActualWorker): void {
    this.#matched = JSON.stringify(wanted.servers);
    this.#pid = worker.pid;
  }
}
