import { describe, expect, it } from 'vitest';
import { anActualProxy, anActualServer, anActualWorker, anEffectiveModel, aServer } from '../../test/fakes/pools.ts';
import type { ActualWorker } from './actual.ts';
import { commandText } from './command.ts';
import { diff as diffOf } from './diff.ts';
import type { EffectiveModel } from './effective.ts';
import { makeBeforeBreak } from './make-before-break.ts';

const diff = (...[wanted, worker]: [EffectiveModel, ActualWorker]) => diffOf(wanted, anActualProxy(worker));
const leaving = aServer(1, { state: 'drain' });
const coming = { ...aServer(2, { state: 'drain' }), awaits: true };

describe('makeBeforeBreak', () => {
  it('lets the new server in before the last old one is drained', () => {
    const worker = anActualWorker([anActualServer(aServer(1))]);
    const commands = makeBeforeBreak(diff(anEffectiveModel([leaving, coming]), worker), worker).map(commandText);
    expect(commands.map((text) => text.split(' ')[0])).toEqual(['add', 'enable', 'set']);
    expect(commands[2]).toBe(`set server servers/${coming.name} state drain`);
  });

  it('drains at once when another server serves', () => {
    const worker = anActualWorker([anActualServer(aServer(1)), anActualServer(aServer(3))]);
    const difference = diff(anEffectiveModel([leaving, coming, aServer(3)]), worker);
    expect(makeBeforeBreak(difference, worker)).toEqual(difference.commands);
  });

  it('drains at once when no server is about to join', () => {
    const worker = anActualWorker([anActualServer(aServer(1))]);
    const difference = diff(anEffectiveModel([leaving]), worker);
    expect(makeBeforeBreak(difference, worker)).toEqual(difference.commands);
  });

  it('does not count a server that is down or has no weight as one that serves', () => {
    const worker = anActualWorker([
      anActualServer(aServer(1)),
      anActualServer(aServer(3), { operational: 'down' }),
      anActualServer(aServer(4), { weight: 0 }),
    ]);
    const difference = diff(anEffectiveModel([leaving, coming, aServer(3), aServer(4, { weight: 0 })]), worker);
    expect(makeBeforeBreak(difference, worker).some((command) => command.kind === 'state' && command.name === leaving.name)).toBe(false);
  });
});
