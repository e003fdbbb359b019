import { describe, expect, it } from 'vitest';
import { aModel, anActualServer, anActualWorker, anEffectiveModel, aServer } from '../../test/fakes/pools.ts';
import type { WantedServer } from './model.ts';
import { freePlaces, overdue } from './session-closer.ts';

describe('overdue', () => {
  const late = aServer(1, { state: 'drain', deadlineAt: 1_000 });
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
    expect(overdue(aModel([aServer(1, { deadlineAt: 0 })]), proxy(1), 1_000)).toEqual([]);
    expect(overdue(aModel([aServer(1, { state: 'drain' })]), proxy(1), 1_000)).toEqual([]);
  });
});

describe('freePlaces', () => {
  const proxy = (...sessions: number[]) => ({
    masterPid: 1,
    current: anActualWorker(sessions.map((count, index) => anActualServer(aServer(index + 1), { sessions: count }))),
    old: [],
  });

  const servers = [1, 2, 3].map((id) => aServer(id, { maxConnections: 10 }));
  const [one, two, three] = servers as [WantedServer, WantedServer, WantedServer];
  const all = new Set(servers.map(({ name }) => name));

  it('counts what servers in rotation can still take, and nothing of those that drain, may not serve or were not heard', () => {
    expect(freePlaces(anEffectiveModel(servers), proxy(9, 4, 12), all)).toBe(1 + 6 + 0);
    expect(freePlaces(anEffectiveModel(servers), proxy(9, 4, 0), new Set([one.name, two.name]))).toBe(1 + 6);
    expect(freePlaces(anEffectiveModel([one, { ...two, usable: false }, { ...three, state: 'drain' }]), proxy(9, 4, 0), all)).toBe(1);
  });

  it('counts Backups only where no Active server is in rotation, a full one included', () => {
    const backup = { ...three, backup: true };
    expect(freePlaces(anEffectiveModel([one, two, backup]), proxy(10, 10, 0), all)).toBe(0);
    expect(freePlaces(anEffectiveModel([{ ...one, usable: false }, { ...two, usable: false }, backup]), proxy(10, 10, 0), all)).toBe(10);
  });
});
