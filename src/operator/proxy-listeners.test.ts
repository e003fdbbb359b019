import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/fakes/clock.ts';
import { aProxyPod } from '../../test/fakes/owned-pods.ts';
import { type PodRecord, podRecord } from './pod-record.ts';
import { ProxyListeners } from './proxy-listeners.ts';

let listeners: ProxyListeners;

beforeEach(() => {
  listeners = new ProxyListeners({
    clock: new FakeClock(),
    random: () => 0.5,
    servers: () => 1,
    onChange: () => undefined,
    onTrouble: () => undefined,
  });
});

afterEach(async () => {
  await listeners.stop();
});

const pod = (uid: string, podIP = '127.0.0.1'): PodRecord => podRecord(aProxyPod({ uid, podIP }));
const yes = (): boolean => true;
const no = (): boolean => false;
const heard = (...pods: PodRecord[]): string[] => listeners.reports(pods).map(({ uid }) => uid);

describe('ProxyListeners', () => {
  it('listen to the proxies of a pool and to nothing that only says that it is one', () => {
    listeners.follow('n/p', [pod('a'), pod('b')], ({ uid }) => uid === 'a');
    expect([listeners.size, heard(pod('a'), pod('b'))]).toEqual([1, ['a']]);
    listeners.follow('n/p', [pod('a'), pod('b')], yes);
    expect(heard(pod('a'), pod('b'))).toEqual(['a', 'b']);
  });

  it('go on with a proxy whose Deployment is gone, until its pod is gone, too', () => {
    listeners.follow('n/p', [pod('a')], yes);
    listeners.follow('n/p', [pod('a')], no);
    expect(heard(pod('a'))).toEqual(['a']);
    listeners.follow('n/p', [], no);
    expect([listeners.size, heard(pod('a'))]).toEqual([0, []]);
  });

  it('ask again whose a pod is that has another address', () => {
    listeners.follow('n/p', [pod('a')], yes);
    listeners.follow('n/p', [pod('a', '127.0.0.2')], no);
    expect(listeners.size).toBe(0);
  });

  it('leave the proxies of other pools alone', () => {
    listeners.follow('n/p', [pod('a')], yes);
    listeners.follow('n/q', [], yes);
    expect(listeners.size).toBe(1);
  });
});
