import { describe, expect, it } from 'vitest';
import { aStructure } from '../../../test/fakes/pools.ts';
import { NO_LIMIT, refusedAt } from './learned-limit.ts';
import { nextProbeMs } from './schedule.ts';
import { newHealth, type ServerHealth } from './server-health.ts';

const check = aStructure().check;
const up = newHealth('up', 0);
const out = (changes: Partial<ServerHealth>): ServerHealth => ({ ...newHealth('out', 0), ...changes });

/** Seconds between the tries of a server that goes on failing. */
function tries(health: ServerHealth, count: number): number[] {
  return Array.from({ length: count }, (_, index) => nextProbeMs({ ...health, bad: index + 1 }, 0, check) / 1_000);
}

describe('nextProbeMs', () => {
  it('is the interval while all is well, and the fast one while it is not sure', () => {
    expect(nextProbeMs(up, 0, check)).toBe(10_000);
    expect(nextProbeMs({ ...up, bad: 1 }, 0, check)).toBe(1_000);
    expect(nextProbeMs(out({ cause: 'refused', good: 1 }), 0, check)).toBe(1_000);
  });

  it('grows to the interval for a server that is away, so that it is back soon', () => {
    expect(tries(out({ cause: 'unreachable' }), 6)).toEqual([1, 2, 4, 8, 10, 10]);
  });

  it('grows to five minutes for a server that closes at once: bans are lengthened by each try', () => {
    expect(tries(out({ cause: 'closed' }), 7)).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  it('stays soon for one that ignores newcomers: it may only be slow, and is no ban', () => {
    expect(tries(out({ cause: 'ignored' }), 6)).toEqual([1, 2, 4, 8, 10, 10]);
  });

  it('is longer for a server that has refused this proxy before', () => {
    expect([0, 1, 2, 5].map((restraint) => nextProbeMs({ ...up, restraint }, 0, check))).toEqual([10_000, 20_000, 40_000, 300_000]);
  });

  it('leaves a full server alone for half a minute and more, and one that has room not', () => {
    const full = { ...up, limit: refusedAt(NO_LIMIT, 40, false) };
    expect(nextProbeMs(full, 40, check)).toBe(30_000);
    expect(nextProbeMs({ ...full, limit: refusedAt(full.limit, 40, false) }, 40, check)).toBe(60_000);
    expect(nextProbeMs(full, 39, check)).toBe(10_000);
  });

  it('asks a server that joins at once, and ever more rarely', () => {
    const joining = (bad: number): number => nextProbeMs({ ...newHealth('joining', 0), bad, cause: 'silent' }, 0, check);
    expect([1, 2, 3, 4, 20].map(joining)).toEqual([250, 500, 1_000, 2_000, 10_000]);
  });
});
