import { describe, expect, it } from 'vitest';
import { podServerState } from './pod-facts.ts';

const healthy = { address: '10.0.0.1', terminatingSince: null, containersReady: true, finished: false };

describe('podServerState', () => {
  it.each([
    ['a pod that is gone', null, false, 'absent'],
    ['a pod without an address', { ...healthy, address: null }, false, 'absent'],
    ['a healthy pod', healthy, false, 'ready'],
    ['a terminating pod', { ...healthy, terminatingSince: 1 }, false, 'drain'],
    ['an annotated pod', healthy, true, 'drain'],
    ['a pod whose containers are not ready', { ...healthy, containersReady: false }, false, 'drain'],
    ['a terminating pod that has lost its address', { ...healthy, terminatingSince: 1, address: null }, false, 'absent'],
    ['a pod that has ended', { ...healthy, finished: true }, false, 'absent'],
  ] as const)('takes %s (%j, asked to drain: %s) for %s', (_what, pod, requested, state) => {
    expect(podServerState(pod, requested)).toBe(state);
  });
});
