import { describe, expect, it } from 'vitest';
import { reportOf } from '../../test/fakes/cluster-facts.ts';
import { NOTHING_SAID } from '../../test/fakes/proxy-statement.ts';
import { ACTIVE } from './drain.ts';
import type { ProxyReport } from './proxy-report.ts';
import { withShares } from './proxy-shares.ts';
import type { RosterEntry } from './roster.ts';

const ENTRY: RosterEntry = {
  name: 'rack',
  id: 1,
  backend: 'rack',
  address: '192.0.2.1',
  port: 12_000,
  weight: 256,
  maxConnections: 100,
  role: 'Active',
  drain: ACTIVE,
  deadlineMs: 60_000,
  shares: { proxy0: 10, proxy1: 90 },
};

function shares(entry: RosterEntry, ...said: ProxyReport['said'][]): RosterEntry['shares'] {
  return withShares([entry], said.map(reportOf))[0]?.shares;
}

describe('the shares of a server’s limit', () => {
  it('stay as they were saved until every proxy was asked, as after a start of the operator', () => {
    expect(shares(ENTRY, 'pending', 'pending')).toEqual({ proxy0: 10, proxy1: 90 });
    expect(shares(ENTRY, NOTHING_SAID, 'pending')).toEqual({ proxy0: 10, proxy1: 90 });
  });

  it('never stay above a limit that was lowered, nor leave out a proxy that is new', () => {
    const lowered = shares({ ...ENTRY, maxConnections: 50 }, 'pending', 'pending') ?? {};
    expect(Object.values(lowered).reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(50);
    expect(Object.keys(shares(ENTRY, 'pending', 'pending', 'pending') ?? {})).toEqual(['proxy0', 'proxy1', 'proxy2']);
  });
});
