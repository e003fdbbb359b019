import { describe, expect, it } from 'vitest';
import { graceSeconds } from '../api/v1alpha1/index.ts';
import { CLOSING_LIMIT_MS, CLOSING_RESERVE_MS, GRACE_AFTER_DEADLINE_MS } from './drain-times.ts';

describe('the times around the deadline of a drain', () => {
  it('let an agent close its sessions before it gives up, and give up before the kubelet kills', () => {
    expect(CLOSING_RESERVE_MS).toBeLessThan(CLOSING_LIMIT_MS);
    expect(CLOSING_LIMIT_MS).toBeLessThan(GRACE_AFTER_DEADLINE_MS);
  });

  it('are what a pod is given beyond its drain', () => {
    expect(graceSeconds('10m')).toBe(600 + GRACE_AFTER_DEADLINE_MS / 1_000);
  });
});
