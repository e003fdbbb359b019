import { describe, expect, it } from 'vitest';
import { NOTHING_SAID } from '../../test/fakes/proxy-statement.ts';
import type { ProxyReport, ServerStatement } from './proxy-report.ts';
import { summarizeProxies } from './proxy-summary.ts';

const UP: ServerStatement = {
  sessions: 3,
  counted: true,
  admin: 'ready',
  inRotation: true,
  mayHold: 500,
  health: 'up',
  cause: null,
  learnedLimit: null,
  limitIsSure: false,
};
const DRAINED: ServerStatement = {
  sessions: 0,
  counted: true,
  admin: 'drain',
  inRotation: false,
  mayHold: 500,
  health: null,
  cause: null,
  learnedLimit: null,
  limitIsSure: false,
};

/** A proxy that says this of the server `s`, or does not mention it. */
function aProxy(server: ServerStatement | null, more: Partial<ProxyReport> = {}): ProxyReport {
  const said = { ...NOTHING_SAID, configRevision: 'w', synced: true, servers: new Map(server === null ? [] : [['s', server]]) };
  return { name: 'p', uid: 'p', agent: null, ready: true, terminatingSince: null, gracePeriodMs: null, said, error: null, ...more };
}

const factsOf = (...proxies: ProxyReport[]) => summarizeProxies(proxies, 'w', ['s']).servers.get('s');

describe('a server', () => {
  it('is in rotation only where every ready proxy says so', () => {
    expect(factsOf(aProxy(UP), aProxy(UP))?.inRotation).toBe(true);
    expect(factsOf(aProxy(UP), aProxy(DRAINED))?.inRotation).toBe(false);
    expect(factsOf(aProxy(UP), aProxy(DRAINED, { ready: false }))?.inRotation).toBe(true);
  });

  it('is not taken out by a proxy that reaches no server at all, as long as another one does', () => {
    const lost: ServerStatement = { ...DRAINED, admin: 'ready', health: 'unreachable', cause: 'unreachable' };
    expect(factsOf(aProxy(UP), aProxy(UP), aProxy(lost))).toMatchObject({ inRotation: true, staysInRotation: true, health: 'up' });
    expect(factsOf(aProxy(lost), aProxy(lost))).toMatchObject({ inRotation: false, staysInRotation: false, health: 'unreachable' });
    expect(summarizeProxies([aProxy(UP), aProxy(lost, { name: 'far' })], 'w', ['s']).isolated).toEqual(['far']);
    expect(summarizeProxies([aProxy(lost), aProxy(lost)], 'w', ['s']).isolated).toEqual([]);
    // One that only begins takes no clients yet, and one that takes none speaks for nobody who does.
    expect(summarizeProxies([aProxy(UP), aProxy(lost, { ready: false })], 'w', ['s']).isolated).toEqual([]);
    expect(factsOf(aProxy(UP, { ready: false }), aProxy(lost))).toMatchObject({ inRotation: false, staysInRotation: false });
    expect(factsOf(aProxy(UP, { ready: false }), aProxy(lost, { ready: false }))?.staysInRotation).toBe(true);
  });

  it('comes into rotation only by a ready proxy, and stays there when the probes of all have failed and their HAProxies route to it', () => {
    const unready = { inRotation: false, staysInRotation: true };
    expect(factsOf(aProxy(UP, { ready: false }), aProxy(UP, { ready: false }))).toMatchObject(unready);
    expect(factsOf(aProxy(DRAINED, { ready: false }))?.staysInRotation).toBe(false);
    expect(factsOf(aProxy(UP, { said: 'unreachable' }), aProxy(UP, { terminatingSince: 1 }))?.staysInRotation).toBe(false);
    expect(factsOf(aProxy(DRAINED), aProxy(UP, { ready: false }))?.staysInRotation).toBe(false);
  });

  it('is empty only where every proxy says so, those that end among them', () => {
    expect(factsOf(aProxy(DRAINED), aProxy(UP, { terminatingSince: 1 }))).toMatchObject({ sessions: 3, outOfRotation: false });
    expect(factsOf(aProxy(DRAINED), aProxy(DRAINED, { terminatingSince: 1 }))).toMatchObject({
      sessions: 0,
      counted: true,
      outOfRotation: true,
    });
    expect(factsOf(aProxy(DRAINED), aProxy(null, { said: 'unreachable' }))?.counted).toBe(false);
  });

  it('is believed to be unknown to a proxy only where that reports this very revision', () => {
    expect(factsOf(aProxy(null))).toMatchObject({ counted: true, outOfRotation: true });
    const older = { ...NOTHING_SAID, configRevision: 'v', synced: true };
    expect(factsOf(aProxy(null, { said: older }))).toMatchObject({ counted: false, outOfRotation: false });
  });

  it('is not known at all where no proxy reports', () => {
    expect(factsOf(aProxy(null, { said: 'unreachable' }))).toBeUndefined();
  });
});

describe('summarizeProxies', () => {
  it('names those that cannot be heard, but not those that end or were not asked yet', () => {
    const silent = (name: string, more: Partial<ProxyReport> = {}): ProxyReport => aProxy(null, { name, said: 'unreachable', ...more });
    const proxies = [silent('p-b'), silent('p-a'), aProxy(UP), aProxy(null, { said: 'pending' }), silent('p-c', { terminatingSince: 1 })];
    expect(summarizeProxies(proxies, 'w', ['s']).unheard).toEqual(['p-a', 'p-b']);
  });

  it('names each complaint once', () => {
    const complaining = aProxy(null, { said: 'unreachable', error: 'CCP_FILE_LIMIT' });
    expect(summarizeProxies([complaining, complaining, aProxy(UP)], 'w', ['s'])).toMatchObject({
      errors: ['CCP_FILE_LIMIT'],
      reachable: 1,
      lagging: 2,
    });
  });
});
