import { describe, expect, it } from 'vitest';
import { aModel, anActualServer, anActualWorker, anEffectiveModel, aServer } from '../../test/fakes/pools.ts';
import { freePlaces, overdue } from './session-closer.ts';

describe('overdue', () => {
  const late = aServer(1, { state: 'drain', closeAfter: 1_000 });
  const proxy = (sessions: number, old = 0) => ({
    masterPid: 1,
    current: anActualWorker([anActualServer(late, { sessions })]),
    old: [{ pid: 2, sessions: new Map([[late.name, old]]) }],
  });

  it('is a drain past its deadline that still holds sessions, in whichever worker', () => {
    expect(overdue(aModel([late]), proxy(1), 1_000)).toEqual([late]);
    expect(overdue(aModel([late]), proxy(0, 1), 1_000)).toEqual([late]);
    expect(overdue(aModel([late]), proxy(0, 0), 1_000)).toEqual([]);
    expect(overdue(aModel([late]), proxy(1), 999)).toEqual([]);
  });

  it('is never a server in rotation or one that may keep its sessions', () => {
    expect(overdue(aModel([aServer(1, { closeAfter: 0 })]), proxy(1), 1_000)).toEqual([]);
    expect(overdue(aModel([aServer(1, { state: 'drain' })]), proxy(1), 1_000)).toEqual([]);
  });
});

describe('freePlaces', () => {
  const proxy = (...sessions: number[]) => ({
    masterPid: 1,
    current: anActualWorker(sessions.map((count, index) => anActualServer(aServer(index + 1), { sessions: count }))),
    old: [],
  });

  it('counts what servers in rotation can still take, and nothing of those that hang, drain or may not serve', () => {
    const servers = [aServer(1, { maxConnections: 10 }), aServer(2, { maxConnections: 10 }), aServer(3, { maxConnections: 10 })];
    expect(freePlaces(anEffectiveModel(servers), proxy(9, 4, 12), [])).toBe(1 + 6 + 0);
    expect(freePlaces(anEffectiveModel(servers), proxy(9, 4, 0), [aServer(3).name])).toBe(1 + 6);
    const [one, two, three] = servers;
    if (one === undefined || two === undefined || three === undefined) throw new Error('unreachable');
    const model = anEffectiveModel([one, { ...two, usable: false }, { ...three, state: 'drain' }]);
    expect(freePlaces(model, proxy(9, 4, 0), [])).toBe(1);
  });
});
