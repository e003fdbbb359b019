import type { ActualProxy } from './actual.ts';
import type { Command } from './command.ts';
import { type ProxyModel, REFUSAL_ROOM } from './model.ts';

/** What a worker as a whole needs to be as it should; the second is why only a reload can help. */
export interface ProcessDifference {
  readonly commands: readonly Command[];
  readonly reload: readonly string[];
}

/**
 * Compares what is wanted of the process with what runs: who is let in, how many, and how many places earlier workers hold.
 *
 * @param ours whether the worker runs the wanted structure; what another one lacks comes with its reload
 */
export function processDiff(wanted: ProxyModel, actual: ActualProxy, ours: boolean): ProcessDifference {
  const { frontend, frontendLimit, globalLimit, heldByOld, rateLimited } = actual.current.process;
  if (frontend === 'stopped') return { commands: [], reload: ['the frontend was shut down'] };
  const limit = wanted.structure.maxConnections + REFUSAL_ROOM;
  const held = sessionsInOldWorkers(actual);
  const commands: Command[] = [];
  if ((frontend === 'open') !== (wanted.frontend === 'open')) commands.push({ kind: 'frontend', open: wanted.frontend === 'open' });
  if (ours && (frontendLimit !== limit || globalLimit !== limit)) commands.push({ kind: 'limits', frontend: limit, global: limit });
  if (rateLimited) commands.push({ kind: 'no-rate-limits' });
  if (ours && heldByOld !== held) commands.push({ kind: 'held', sessions: held });
  return { commands, reload: [] };
}

/** Sessions that take places of this proxy though its current worker does not know them. */
function sessionsInOldWorkers(actual: ActualProxy): number {
  return actual.old.reduce((sum, { sessions }) => [...(sessions?.values() ?? [])].reduce((total, count) => total + count, sum), 0);
}
