import { describe, expect, it } from 'vitest';
import { podServerState } from './server-state.ts';

const healthy = { hasAddress: true, terminating: false, drainRequested: false, containersReady: true };

describe('podServerState', () => {
  it.each([
    ['a pod that is gone', null, 'absent'],
    ['a pod without an address', { ...healthy, hasAddress: false }, 'absent'],
    ['a healthy pod', healthy, 'ready'],
    ['a terminating pod', { ...healthy, terminating: true }, 'drain'],
    ['an annotated pod', { ...healthy, drainRequested: true }, 'drain'],
    ['a pod whose containers are not ready', { ...healthy, containersReady: false }, 'drain'],
    ['a terminating pod that has lost its address', { ...healthy, terminating: true, hasAddress: false }, 'absent'],
  ] as const)('takes %s for %j', (_what, pod, state) => {
    expect(podServerState(pod)).toBe(state);
  });
});
