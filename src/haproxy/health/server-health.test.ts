import { describe, expect, it } from 'vitest';
import { aStructure } from '../../../test/fakes/pools.ts';
import type { ProbeOutcome } from '../greeting.ts';
import { afterClientErrors, afterHang, afterProbe, afterRest, afterSignOfLife, newHealth, type ServerHealth } from './server-health.ts';

const check = aStructure().check;

interface Story {
  readonly sessions?: number;
  readonly suspected?: boolean;
  readonly connections?: number;
  readonly from?: ServerHealth;
}

/** What becomes of a server that is up, after these probes a second apart. */
function probed(
  kinds: readonly ProbeOutcome['kind'][],
  { connections = 1, from = newHealth('up', 0), sessions = 0, suspected = false }: Story = {},
) {
  let health = from;
  for (const [index, kind] of kinds.entries()) {
    const outcome: ProbeOutcome = kind === 'local' ? { kind, code: 'EADDRNOTAVAIL' } : { kind };
    health = suspected ? { ...health, suspected } : health;
    health = afterProbe(health, outcome, { check, sessions, connections, now: 1_000 * (index + 1) });
  }
  return health;
}

describe('a server that is up', () => {
  it.each(['refused', 'silent', 'unreachable'] as const)('is out after three checks in a row that were %s, and not before', (kind) => {
    expect(probed([kind, kind]).verdict).toBe('up');
    expect(probed([kind, 'greeted', kind, kind]).verdict).toBe('up');
    expect(probed([kind, kind, kind])).toMatchObject({ verdict: 'out', cause: kind, since: 3_000 });
  });

  it('is out at once where clients have trouble, too; but refusals must repeat', () => {
    expect(probed(['silent'], { suspected: true })).toMatchObject({ verdict: 'out', cause: 'silent' });
    expect(probed(['unreachable'], { suspected: true }).verdict).toBe('out');
    expect(probed(['refused', 'refused'], { suspected: true }).verdict).toBe('up');
    expect(probed(['refused', 'refused', 'refused'], { suspected: true }).verdict).toBe('out');
    expect(probed(['refused', 'greeted'], { suspected: true }).verdict).toBe('up');
  });

  it('is not asked a third time when it closes at once', () => {
    expect(probed(['closed'])).toMatchObject({ verdict: 'up', bad: 1 });
    expect(probed(['closed', 'closed'])).toMatchObject({ verdict: 'out', cause: 'closed' });
  });

  it('is full when it closes at more sessions than it ever took, and stays up with that as its limit', () => {
    expect(probed(['closed', 'closed'], { sessions: 40 })).toMatchObject({ verdict: 'up', cause: null, limit: { sessions: 40 } });
    expect(probed(['closed'], { sessions: 40, suspected: true })).toMatchObject({ verdict: 'up', limit: { sessions: 40 } });
  });

  it('refuses this proxy when it closes at as many as it took another connection at a moment ago', () => {
    expect(probed(['greeted', 'closed', 'closed'], { sessions: 13 })).toMatchObject({ verdict: 'out', cause: 'closed' });
  });

  it('is nothing else for an error of this machine', () => {
    expect(probed(['local', 'local', 'local', 'local'], { suspected: true })).toMatchObject({
      verdict: 'up',
      bad: 0,
      localError: 'EADDRNOTAVAIL',
    });
    expect(probed(['local', 'greeted']).localError).toBeNull();
  });

  it('stays up, once full, when it refuses one more in whichever way', () => {
    const full = probed(['closed', 'closed'], { sessions: 40 });
    expect(probed(['silent', 'silent', 'closed', 'silent'], { from: full, sessions: 40, suspected: true })).toMatchObject({
      verdict: 'up',
      limit: { sessions: 40 },
    });
  });
});

describe('a server that is out', () => {
  it('is up again after as many greetings in a row as the pool says', () => {
    const dead = probed(['refused', 'refused', 'refused']);
    expect(probed(['greeted'], { from: dead }).verdict).toBe('out');
    expect(probed(['greeted', 'refused', 'greeted'], { from: dead }).verdict).toBe('out');
    expect(probed(['greeted', 'greeted'], { from: dead })).toMatchObject({ verdict: 'up', cause: null });
  });

  it('is up at the first greeting where it closed, and is checked more rarely from then on', () => {
    const banned = probed(['greeted', 'closed', 'closed'], { sessions: 13 });
    const back = probed(['greeted'], { from: banned, sessions: 13 });
    expect(back).toMatchObject({ verdict: 'up', restraint: 1 });
    const calm = afterProbe(back, { kind: 'greeted' }, { check, sessions: 13, connections: 1, now: 2 * 3_600_000 });
    expect(calm.restraint).toBe(0);
  });

  it('has no limit any more that another process had', () => {
    const full = probed(['closed', 'closed'], { sessions: 40 });
    const restarted = probed(['refused', 'refused', 'refused', 'greeted', 'greeted'], { from: full });
    expect(restarted).toMatchObject({ verdict: 'up', limit: { sessions: null } });
  });
});

describe('a server that is silent to new connections', () => {
  const silent = probed(['silent'], { suspected: true, connections: 2, sessions: 40 });

  it('is full when its sessions go on, at more than it ever took', () => {
    expect(afterSignOfLife(silent, 40, 9_000)).toMatchObject({ verdict: 'up', limit: { sessions: 40 }, silences: 0 });
  });

  it('ignores this proxy when its sessions go on at as many as it took another at', () => {
    const known = probed(['greeted', 'silent'], { suspected: true, connections: 2, sessions: 40 });
    expect(afterSignOfLife(known, 40, 9_000)).toMatchObject({ verdict: 'out', cause: 'ignored' });
  });

  it('proves nothing by one silence, which may be a slow moment', () => {
    const once = probed(['silent'], { sessions: 40 });
    expect(afterSignOfLife(once, 40, 9_000)).toEqual(once);
  });

  it('is out when it was found hung, even if it was thought full before', () => {
    expect(afterHang(afterSignOfLife(silent, 40, 9_000), 60_000)).toMatchObject({ verdict: 'out', cause: 'silent' });
  });
});

describe('a server that is not to be probed', () => {
  it('rests when clients failed as often as checks may, and goes back at the first failure after that', () => {
    const up = newHealth('up', 0);
    expect(afterClientErrors(up, { all: 2, silent: 2 }, check, 0).verdict).toBe('up');
    const resting = afterClientErrors(up, { all: 3, silent: 3 }, check, 0);
    expect(resting).toMatchObject({ verdict: 'out', cause: 'unserved', restraint: 1 });
    const tried = afterRest(resting, check, 10_000);
    expect(tried.verdict).toBe('up');
    expect(afterClientErrors(tried, { all: 1, silent: 1 }, check, 11_000)).toMatchObject({ verdict: 'out', restraint: 2 });
  });
});

describe('a server that refuses new connections', () => {
  const refused = probed(['refused', 'refused', 'refused'], { sessions: 13 });

  it('bans this proxy where its sessions go on, and is asked ever more rarely', () => {
    const banned = afterSignOfLife(refused, 13, 4_000);
    expect(banned).toMatchObject({ verdict: 'out', cause: 'rejected', bad: 1 });
    expect(probed(['refused', 'refused'], { from: banned, sessions: 13 })).toMatchObject({ cause: 'rejected', bad: 3 });
  });

  it('is dead once they have ended', () => {
    expect(afterSignOfLife(refused, 0, 4_000)).toMatchObject({ cause: 'refused' });
    expect(probed(['refused'], { from: afterSignOfLife(refused, 13, 4_000) })).toMatchObject({ cause: 'refused' });
  });
});
