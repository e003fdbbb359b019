import type { ActualWorker } from './actual.ts';
import type { Command } from './command.ts';
import type { Difference } from './diff.ts';

/**
 * The commands of a difference, without drains that would leave no server in rotation while others are about to join: the
 * new one is let in first, then the old one is drained. Without this a change of address would refuse clients for some
 * milliseconds.
 */
export function makeBeforeBreak(difference: Difference, worker: ActualWorker): readonly Command[] {
  const serving = worker.servers.filter((server) => server.admin === 'ready' && server.operational === 'up' && server.weight > 0);
  const drained = new Set(
    difference.commands.flatMap((command) => (command.kind === 'state' && command.state === 'drain' ? [command.name] : [])),
  );
  const empties = serving.length > 0 && serving.every((server) => drained.has(server.name));
  if (!empties || difference.awaiting.length === 0) return difference.commands;
  const names = new Set(serving.map((server) => server.name));
  const ids = new Set(serving.map((server) => server.id));
  return difference.commands.filter((command) => {
    if (command.kind === 'state') return !names.has(command.name);
    return command.kind !== 'forget-clients' || !ids.has(command.id);
  });
}
