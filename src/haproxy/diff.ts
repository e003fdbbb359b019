import type { ActualProxy, ActualServer } from './actual.ts';
import type { Command } from './command.ts';
import type { EffectiveModel, EffectiveServer } from './effective.ts';
import { BACKEND } from './model.ts';
import { processDiff } from './process-diff.ts';
import { structureHash } from './render.ts';

/** What it takes to make HAProxy match. Without commands, reload and servers that wait it matches. */
export interface Difference {
  /** To be sent in this order. */
  readonly commands: readonly Command[];
  /** Why only a reload can help, one short text per reason; empty when the runtime API can do it all. */
  readonly reload: readonly string[];
  /** Servers that should be in rotation and first have to be seen to greet. */
  readonly awaiting: readonly EffectiveServer[];
}

/** Whether HAProxy runs what is wanted: forgetting clients changes nothing of that. */
export function isSettled(difference: Difference): boolean {
  return difference.reload.length === 0 && difference.commands.every(({ kind }) => kind === 'forget-clients' || kind === 'held');
}

const NOTHING: Difference = { commands: [], reload: [], awaiting: [] };

/** Compares what is wanted now with what runs. */
export function diff(wanted: EffectiveModel, proxy: ActualProxy): Difference {
  const actual = proxy.current;
  const ours = actual.structureHash === structureHash(wanted.structure);
  const process = processDiff(wanted, proxy, ours);
  const remembers = actual.process.tables.has(BACKEND);
  const names = new Set(wanted.servers.map((server) => server.name));
  const running = new Map(actual.servers.map((server) => [server.name, server]));
  const strangers = actual.servers.filter((server) => !names.has(server.name));
  const parts = wanted.servers.map((server) => {
    const found = running.get(server.name);
    return found === undefined ? join(server, wanted, actual.servers) : adjust(server, found, remembers);
  });
  return {
    commands: [...process.commands, ...strangers.flatMap((server) => leave(server, remembers)), ...parts.flatMap((part) => part.commands)],
    reload: [...(ours ? [] : ['the structure changed']), ...process.reload, ...parts.flatMap((part) => part.reload)],
    awaiting: parts.flatMap((part) => part.awaiting),
  };
}

/** A new server begins in drain: it gets no sessions before it has sent its greeting. */
function join(server: EffectiveServer, wanted: EffectiveModel, running: readonly ActualServer[]): Difference {
  const holder = running.find((other) => other.id === server.id);
  if (holder !== undefined && !isLeaving(holder, wanted))
    return { commands: [], reload: [`id ${server.id} is held by ${holder.name}`], awaiting: [] };
  if (holder !== undefined && holder.admin !== 'maint') return NOTHING; // deleted within two rounds; then its id is free
  const commands: Command[] = [
    { kind: 'add', server },
    ...(server.ownChecks ? [{ kind: 'checks', name: server.name, on: true } as const] : []),
    { kind: 'state', name: server.name, state: 'drain' },
  ];
  return { commands, reload: [], awaiting: server.awaits ? [server] : [] };
}

/** @param remembers whether the worker has a table of clients */
function adjust(server: EffectiveServer, found: ActualServer, remembers: boolean): Difference {
  const commands: Command[] = [];
  if (found.checks !== 'none' && (found.checks === 'on') !== server.ownChecks)
    commands.push({ kind: 'checks', name: server.name, on: server.ownChecks });
  if (found.weight !== server.weight) commands.push({ kind: 'weight', name: server.name, weight: server.weight });
  if (found.maxConnections !== server.maxConnections) {
    commands.push({ kind: 'max-connections', name: server.name, maxConnections: server.maxConnections });
  }
  if (!found.checksOwnAddress) commands.push({ kind: 'check-own-address', name: server.name, address: server.address, port: server.port });
  commands.push(...health(server, found), ...rotation(server, found, remembers));
  // A remembered client waits for its full server even while others have room, is refused, and comes back to wait again.
  // And one that a Backup took in comes back to it for ever, though an Active server is there again.
  const mislaid = server.state === 'ready' && (found.queued > 0 || found.remembered > 0);
  if (mislaid && remembers) commands.push({ kind: 'forget-clients', id: found.id });
  return { commands, reload: unfixableDifferences(server, found), awaiting: server.awaits ? [server] : [] };
}

/** Before the server is set ready, so that one that may not serve is never in rotation. */
function health(server: EffectiveServer, found: ActualServer): Command[] {
  if (found.admin === 'maint' && server.usable) return []; // it comes back from there as up
  const up = found.operational === 'up';
  return up === server.usable ? [] : [{ kind: 'health', name: server.name, health: server.usable ? 'up' : 'down' }];
}

function rotation(server: EffectiveServer, found: ActualServer, remembers: boolean): Command[] {
  if (server.state === 'ready') {
    if (found.admin === 'ready') return [];
    // One that may not serve comes out of maint as up: it is marked down first.
    const state = found.admin === 'maint' && !server.usable ? 'drain' : 'ready';
    return [{ kind: 'state', name: server.name, state }];
  }
  // From maint to drain, so that HAProxy's own checks run while we wait for the greeting.
  if (!server.awaits) return drain(found, remembers);
  return found.admin === 'drain' ? [] : [{ kind: 'state', name: server.name, state: 'drain' }];
}

/**
 * Drain alone is not true: a client in the stick table goes back to the draining server for ever. So its entries go too, and go
 * again whenever some are found, because a peer may hand them back after a reload.
 */
function drain(found: ActualServer, remembers: boolean): Command[] {
  const commands: Command[] = [];
  if (found.admin !== 'drain') commands.push({ kind: 'state', name: found.name, state: 'drain' });
  if (remembers && (found.admin !== 'drain' || found.remembered > 0)) {
    commands.push({ kind: 'forget-clients', id: found.id });
  }
  return commands;
}

/**
 * One step per round: out of rotation, then maint, then gone. Maint comes only after a read-back that found the server out of
 * rotation and empty.
 */
function leave(server: ActualServer, remembers: boolean): Command[] {
  if (server.sessions > 0 || server.admin === 'ready') return drain(server, remembers);
  if (server.admin === 'drain') return [{ kind: 'state', name: server.name, state: 'maint' }];
  const forget: Command[] = remembers ? [{ kind: 'forget-clients', id: server.id }] : [];
  return [...forget, { kind: 'delete', name: server.name }];
}

/** What no command can put right without touching live sessions; the file is right, so a reload is. */
function unfixableDifferences(server: EffectiveServer, found: ActualServer): string[] {
  const reasons: string[] = [];
  if (found.id !== server.id) reasons.push(`id of ${server.name}`);
  if (found.address !== server.address || found.port !== server.port) reasons.push(`address of ${server.name}`);
  if (found.backup !== server.backup) reasons.push(`role of ${server.name}`);
  return reasons;
}

/** Whether a server that holds an id is on its way out and empty, so that the id will be free without a reload. */
function isLeaving(server: ActualServer, wanted: EffectiveModel): boolean {
  return server.sessions === 0 && !wanted.servers.some((other) => other.name === server.name);
}
