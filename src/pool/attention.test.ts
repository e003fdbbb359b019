import { describe, expect, it } from 'vitest';
import { aBackend, aPool } from '../../test/fakes/pools.ts';
import { attentions } from './attention.ts';
import { NO_PROXIES, type ProxySummary, type ServerFacts } from './proxy-summary.ts';
import { nextRoster, type Roster } from './roster.ts';

const SPEC = aPool({
  backends: [
    aBackend('rack', '127.0.1.1', { capacity: { maxConnections: 100 } }),
    aBackend('attic', '127.0.1.2', { capacity: { maxConnections: 40 } }),
  ],
}).spec;
const ROSTER: Roster = nextRoster({ spec: SPEC, previous: [], counts: new Map() }, 0);
const [RACK, ATTIC] = ROSTER.map(({ name }) => name) as [string, string];

/** Reasons of what is to be minded. */
function reasons(facts: Partial<ProxySummary>, spec = SPEC): string[] {
  return attentions(spec, ROSTER, { ...NO_PROXIES, ...facts }).map(({ reason }) => reason);
}

const learned = (name: string, learnedLimit: number): ProxySummary['servers'] =>
  new Map([[name, { learnedLimit, limitIsSure: true } as unknown as ServerFacts]]);

describe('what the owner of a pool should mind', () => {
  it('is nothing while all is well', () => {
    expect(reasons({})).toEqual([]);
    expect(reasons({ sessions: 40, clients: { addresses: 40, most: 1 }, localPorts: { taken: 40, of: 28_000 } })).toEqual([]);
  });

  it('are errors of a proxy’s machine, and local ports before they run out', () => {
    expect(reasons({ localErrors: ['EADDRNOTAVAIL'] })).toEqual(['LocalErrors']);
    expect(reasons({ localPorts: { taken: 79, of: 100 } })).toEqual([]);
    expect(reasons({ localPorts: { taken: 80, of: 100 } })).toEqual(['LocalPortsLow']);
  });

  it('is a limit of open files that is too low for what the pool asks for', () => {
    expect(reasons({ maxConnections: 9_999 })).toEqual(['OpenFilesLow']);
    expect(reasons({ maxConnections: 10_000 })).toEqual([]);
  });

  it('are clients that are refused, once they are many', () => {
    expect(reasons({ refusedLately: { client: 19, full: 19 } })).toEqual([]);
    expect(reasons({ refusedLately: { client: 20, full: 20 } })).toEqual(['ClientsRefused', 'ClientsRefused']);
  });

  it('is one address with most of the sessions, where clients are told apart by it', () => {
    const facts = { sessions: 30, clients: { addresses: 2, most: 25 } };
    expect(reasons(facts)).toEqual(['ClientsShareAddress']);
    expect(reasons({ sessions: 10, clients: { addresses: 1, most: 10 } })).toEqual([]); // a household
    const { balance } = SPEC;
    expect(reasons(facts, { ...SPEC, balance: { ...balance, stickiness: { ...balance.stickiness, mode: 'None' } } })).toEqual([]);
  });

  it('is a server that takes fewer sessions than its capacity says', () => {
    expect(reasons({ servers: learned(RACK, 99) })).toEqual(['LimitBelowCapacity']);
    expect(reasons({ servers: learned(RACK, 100) })).toEqual([]);
  });

  it('are sessions for which there would be no place without the largest server, by the limits that servers have shown', () => {
    expect(reasons({ sessions: 40 })).toEqual([]);
    expect(reasons({ sessions: 41 })).toEqual(['NoSpareCapacity']);
    expect(reasons({ sessions: 31, servers: learned(ATTIC, 30) })).toEqual(['LimitBelowCapacity', 'NoSpareCapacity']);
  });
});
