import type { ActualServer, ActualWorker } from './actual.ts';
import type { Command } from './command.ts';
import type { ProxyModel, WantedServer } from './model.ts';
import { structureHash } from './render.ts';

/** What it takes to make HAProxy match. Empty commands, no reload and nobody waiting: it matches. */
export interface Difference {
  /** To be sent in this order. */
  readonly commands: readonly Command[];
  /** Why only a reload can help, one short text per reason; empty when the runtime API can do it all. */
  readonly reload: readonly string[];
  /** Servers that should be in rotation and first have to be seen to greet. */
  readonly awaiting: readonly WantedServer[];
}

/** Whether HAProxy runs what is wanted: forgetting clients changes nothing of that. */
export function isSettled(difference: Difference): boolean {
  return difference.reload.length === 0 && difference.commands.every((command) => command.kind === 'forget-clients');
}

const NOTHING: Difference = { commands: [], reload: [], awaiting: [] };

/**
 * Compares what is wanted with what the current worker runs.
 *
 * @param admitted names of servers that a probe of ours has just heard greet: only those may be set ready
 */
export function diff(wanted: ProxyModel, actual: ActualWorker, admitted: ReadonlySet<string>): Difference {
  const names = new Set(wanted.servers.map((server) => server.name));
  const running = new Map(actual.servers.map((server) => [server.name, server]));
  const strangers = actual.servers.filter((server) => !names.has(server.name));
  const parts = wanted.servers.map((server) => {
    const found = running.get(server.name);
    return found === undefined ? join(server, wanted, actual.servers) : adjust(server, found, wanted, admitted);
  });
  return {
    commands: [...strangers.flatMap((server) => leave(server, wanted)), ...parts.flatMap((part) => part.commands)],
    reload: [
      ...(actual.structureHash === structureHash(wanted.structure) ? [] : ['the structure changed']),
      ...parts.flatMap((part) => part.reload),
    ],
    awaiting: parts.flatMap((part) => part.awaiting),
  };
}

/** A new server begins in drain: its checks run, and nobody is sent there before it has greeted. */
function join(server: WantedServer, wanted: ProxyModel, running: readonly ActualServer[]): Difference {
  const holder = running.find((other) => other.id === server.id);
  if (holder !== undefined && !isLeaving(holder, wanted))
    return { commands: [], reload: [`id ${server.id} is held by ${holder.name}`], awaiting: [] };
  if (holder !== undefined && holder.admin !== 'maint') return NOTHING; // deleted within two rounds; then its id is free
  const commands: Command[] = [
    { kind: 'add', server, check: wanted.structure.check },
    { kind: 'enable-checks', name: server.name },
    { kind: 'state', name: server.name, state: 'drain' },
  ];
  return { commands, reload: [], awaiting: server.state === 'ready' ? [server] : [] };
}

function adjust(server: WantedServer, found: ActualServer, wanted: ProxyModel, admitted: ReadonlySet<string>): Difference {
  const commands: Command[] = [];
  if (!found.checksEnabled) commands.push({ kind: 'enable-checks', name: server.name });
  if (found.weight !== server.weight) commands.push({ kind: 'weight', name: server.name, weight: server.weight });
  if (found.maxConnections !== server.maxConnections) {
    commands.push({ kind: 'max-connections', name: server.name, maxConnections: server.maxConnections });
  }
  commands.push(...rotation(server, found, wanted, admitted));
  // A remembered client waits for its full server even while others have room, is refused, and comes back to wait again.
  if (found.queued > 0 && server.state === 'ready' && wanted.structure.stickinessMs !== null)
    commands.push({ kind: 'forget-clients', id: found.id });
  const awaits = needsAdmission(server, found) && !admitted.has(server.name);
  return { commands, reload: unfixableDifferences(server, found), awaiting: awaits ? [server] : [] };
}

function rotation(server: WantedServer, found: ActualServer, wanted: ProxyModel, admitted: ReadonlySet<string>): Command[] {
  if (server.state === 'drain') return drain(found, wanted);
  if (!needsAdmission(server, found)) return [];
  if (admitted.has(server.name)) return [{ kind: 'state', name: server.name, state: 'ready' }];
  // From maint to drain first, so that HAProxy's own checks run while we wait for the greeting.
  return found.admin === 'maint' ? [{ kind: 'state', name: server.name, state: 'drain' }] : [];
}

/**
 * Drain alone is not true: a client in the stick table goes back to the draining server for ever. So its entries go too, and go
 * again whenever some are found, because a peer may hand them back after a reload.
 */
function drain(found: ActualServer, wanted: ProxyModel): Command[] {
  const commands: Command[] = [];
  if (found.admin !== 'drain') commands.push({ kind: 'state', name: found.name, state: 'drain' });
  if (wanted.structure.stickinessMs !== null && (found.admin !== 'drain' || found.remembered > 0)) {
    commands.push({ kind: 'forget-clients', id: found.id });
  }
  return commands;
}

/**
 * One step per round: out of rotation, then maint, then gone. Maint comes only after a read-back that found the server out of
 * rotation and empty: with `on-marked-down shutdown-sessions` it closes whoever is there.
 */
function leave(server: ActualServer, wanted: ProxyModel): Command[] {
  if (server.sessions > 0 || server.admin === 'ready') return drain(server, wanted);
  if (server.admin === 'drain') return [{ kind: 'state', name: server.name, state: 'maint' }];
  const forget: Command[] = wanted.structure.stickinessMs === null ? [] : [{ kind: 'forget-clients', id: server.id }];
  return [...forget, { kind: 'delete', name: server.name }];
}

function needsAdmission(server: WantedServer, found: ActualServer): boolean {
  return server.state === 'ready' && found.admin !== 'ready';
}

/** What no command can put right without touching live sessions; the file is right, so a reload is. */
function unfixableDifferences(server: WantedServer, found: ActualServer): string[] {
  const reasons: string[] = [];
  if (found.id !== server.id) reasons.push(`id of ${server.name}`);
  if (found.address !== server.address || found.port !== server.port) reasons.push(`address of ${server.name}`);
  if (found.backup !== server.backup) reasons.push(`role of ${server.name}`);
  return reasons;
}

/** Whether a server that holds an id is on its way out and empty, so that the id will be free without a reload. */
function isLeaving(server: ActualServer, wanted: ProxyModel): boolean {
  return server.sessions === 0 && !wanted.servers.some((other) => other.name === server.name);
}
