import { describe, expect, it } from 'vitest';
import { aProxyPod, ownersOf } from '../../test/fakes/owned-pods.ts';
import type { KubeObject } from '../kube/resource.ts';
import { isPodOfPool } from './pod-owner.ts';

/** Whether the pod is believed once this is changed in the cluster. */
function isBelieved(changes: Parameters<typeof ownersOf>[0], pod: KubeObject = aProxyPod()): boolean {
  const { owners, record } = ownersOf(changes);
  return isPodOfPool(record(pod), owners);
}

describe('isPodOfPool', () => {
  it('believes a pod that the Deployment of the pool has made', () => {
    expect(isBelieved({})).toBe(true);
    expect(isBelieved({}, aProxyPod({ backend: 'a' }))).toBe(true);
  });

  it.each<[string, Parameters<typeof ownersOf>[0]]>([
    ['there is no such pool', { pool: null }],
    ['a pool of that name was made since', { pool: { uid: 'another' } }],
    ['there is no such Deployment', { deployment: null }],
    ['another Deployment has the name', { deployment: { uid: 'another' } }],
    ['the Deployment is of somebody else', { deployment: { owner: 'another' } }],
    ['there is no such ReplicaSet', { replicaSet: null }],
    ['another ReplicaSet has the name', { replicaSet: { uid: 'another' } }],
    ['nothing controls the ReplicaSet', { replicaSet: { owner: null } }],
    ['a Deployment of another uid controls the ReplicaSet', { replicaSet: { owner: 'another' } }],
  ])('does not when %s', (_what, changes) => {
    expect(isBelieved(changes)).toBe(false);
  });

  it('does not believe a pod that says that it is of another backend, or of none', () => {
    expect(isBelieved({}, aProxyPod({ backend: 'a', label: 'b' }))).toBe(false);
    expect(isBelieved({}, aProxyPod({ label: 'a' }))).toBe(false);
    expect(isBelieved({}, aProxyPod({ component: 'other' }))).toBe(false);
  });

  it('does not believe a pod that nothing controls', () => {
    const pod = aProxyPod();
    expect(isBelieved({}, { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } })).toBe(false);
  });
});
