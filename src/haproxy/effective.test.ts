import { describe, expect, it } from 'vitest';
import { aModel, anActualProxy, anActualServer, anActualWorker, aServer } from '../../test/fakes/pools.ts';
import { effectiveModel, roomAfterReload } from './effective.ts';
import type { Ruling } from './health/watched-server.ts';

const s1 = aServer(1, { maxConnections: 50 });
const UP: Ruling = {
  state: 'up',
  cause: null,
  joined: true,
  usable: true,
  doubted: false,
  learnedLimit: null,
  limitIsSure: false,
  ownChecks: true,
};
const ruled = (changes: Partial<Ruling> = {}): Map<string, Ruling> => new Map([[s1.name, { ...UP, ...changes }]]);

/** A proxy with so many sessions of the server here, and so many in a worker of before. */
function running(here: number, before = 0) {
  const old = before === 0 ? [] : [{ pid: 7, sessions: new Map([[s1.name, before]]) }];
  return anActualProxy(anActualWorker([anActualServer(s1, { sessions: here })]), old);
}

describe('what HAProxy should be now', () => {
  it('is what is wanted, where nothing stands against it', () => {
    const [server] = effectiveModel(aModel([s1]), running(10), ruled()).servers;
    expect(server).toMatchObject({ state: 'ready', maxConnections: 50, usable: true, ownChecks: true, awaits: false });
  });

  it('leaves out the places that earlier workers hold, and takes no new session where none is left', () => {
    expect(effectiveModel(aModel([s1]), running(10, 20), ruled()).servers[0]).toMatchObject({ maxConnections: 30, usable: true });
    expect(effectiveModel(aModel([s1]), running(0, 50), ruled()).servers[0]).toMatchObject({ maxConnections: 1, usable: false });
  });

  it('leaves out the places that another line of the same server holds', () => {
    const renamed = aServer(2, { name: `other-${s1.address}:12001`, address: s1.address, maxConnections: 50 });
    const worker = anActualWorker([anActualServer(s1, { sessions: 20 }), anActualServer(renamed, { sessions: 5 })]);
    const rulings = new Map([...ruled(), [renamed.name, UP] as const]);
    const limits = effectiveModel(aModel([s1, renamed]), anActualProxy(worker), rulings).servers.map((each) => each.maxConnections);
    expect(limits).toEqual([45, 30]);
  });

  it('goes by the limit that a server has shown', () => {
    expect(effectiveModel(aModel([s1]), running(10), ruled({ learnedLimit: 12 })).servers[0]).toMatchObject({ maxConnections: 12 });
  });

  it('drains a server that has not greeted yet, and sends no session to one that may not be used', () => {
    expect(effectiveModel(aModel([s1]), running(0), ruled({ joined: false })).servers[0]).toMatchObject({ state: 'drain', awaits: true });
    expect(effectiveModel(aModel([s1]), running(0), ruled({ usable: false })).servers[0]).toMatchObject({ state: 'ready', usable: false });
  });

  it('says how many places would be left after a reload, when every session of now is an earlier worker’s', () => {
    expect(roomAfterReload(aModel([s1]), running(10, 20), ruled()).get(s1.name)).toBe(20);
  });
});
