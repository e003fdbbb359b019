import { describe, expect, it } from 'vitest';
import { aPodOf } from '../../test/fakes/pools.ts';
import { IN_ROTATION_CONDITION } from '../api/v1alpha1/index.ts';
import type { PoolServer } from './decide.ts';
import { podPatch } from './pod-patch.ts';
import type { ServerFacts } from './proxy-summary.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const SERVER = { entry: { drain: { kind: 'active' }, deadlineMs: 60_000 }, verdict: { kind: 'active' } } as unknown as PoolServer;
const UNREADY: ServerFacts = {
  sessions: 0,
  counted: true,
  outOfRotation: false,
  inRotation: false,
  staysInRotation: true,
  health: 'up',
  cause: null,
  learnedLimit: null,
  limitIsSure: false,
};

/** What becomes of the readiness gate of a pod that has it so. */
function gate(before: 'True' | 'False', facts: ServerFacts): string {
  const pod = aPodOf('a', { conditions: new Map([[IN_ROTATION_CONDITION, { status: before, since: '2025-12-31T00:00:00Z' }]]) });
  const changed = podPatch(pod, { ...SERVER, facts }, NOW)?.conditions?.find(({ type }) => type === IN_ROTATION_CONDITION);
  return changed?.status ?? before;
}

describe('the readiness gate of a pod', () => {
  it('is not passed before a proxy takes clients, and stays passed while only the probes of the proxies fail', () => {
    expect(gate('False', UNREADY)).toBe('False');
    expect(gate('False', { ...UNREADY, inRotation: true })).toBe('True');
    expect(gate('True', UNREADY)).toBe('True');
    expect(gate('True', { ...UNREADY, staysInRotation: false })).toBe('False');
  });
});
