import { describe, expect, it } from 'vitest';
import type { Condition, PoolStatus } from '../api/v1alpha1/index.ts';
import { statusEvents } from './pool-event.ts';

/** A status that says nothing but this of `Attention`. */
function minding(reason: string | null): PoolStatus {
  const condition: Condition = {
    type: 'Attention',
    status: reason === null ? 'False' : 'True',
    reason: reason ?? 'AllClear',
    message: 'what to do',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return { conditions: [condition], backends: [] } as unknown as PoolStatus;
}

const eventsOf = (before: PoolStatus | null, after: PoolStatus): string[] =>
  statusEvents(before, after).map(({ note, reason }) => `${reason}: ${note}`);

describe('events of a pool that needs attention', () => {
  it('tell when it begins, when it is about something else, and when it is over', () => {
    expect(eventsOf(null, minding(null))).toEqual([]);
    expect(eventsOf(minding(null), minding('ClientsRefused'))).toEqual(['Attention: ClientsRefused: what to do']);
    expect(eventsOf(minding('ClientsRefused'), minding('ClientsRefused'))).toEqual([]);
    expect(eventsOf(minding('ClientsRefused'), minding('LocalPortsLow'))).toEqual(['Attention: LocalPortsLow: what to do']);
    expect(eventsOf(minding('LocalPortsLow'), minding(null))).toEqual(['AttentionResolved: what to do']);
  });
});
