import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { aClusterView } from '../../../test/fakes/cluster-views.ts';
import { aPodOf } from '../../../test/fakes/pools.ts';
import { type MapTexts, packedBytes, unpackText } from '../../wire/packed-text.ts';
import { readProxyConfig } from '../../wire/proxy-config.ts';
import { readSavedState } from '../../wire/saved-state.ts';
import { reconcile } from '../reconcile.ts';

/** The ConfigMap of a pool with so many pods, whose names and addresses are as long as they can be. */
function mapOf(pods: number): MapTexts & Readonly<Record<string, unknown>> {
  const backends = Array.from({ length: 40 }, (_, index) => ({ name: `a-backend-with-a-long-name-${index}`, replicas: 100 }));
  const all = Array.from({ length: pods }, (_, index) => {
    const backend = backends[index % 40]?.name ?? '';
    const address = `2001:db8:${(index >> 8).toString(16)}:1${(index & 255).toString(16)}:abcd:1234:5678:9abc`;
    const name = `a-pool-${backend}-${randomBytes(5).toString('hex')}-${randomBytes(3).toString('hex').slice(0, 5)}`;
    return aPodOf(backend, { name, uid: randomUUID(), address, agentPort: 9_322, containersReady: true });
  });
  const podTemplate = { spec: { containers: [{ name: 'c', image: 'i' }] } };
  const { changes } = reconcile(aClusterView({ backends, podTemplate }, { pods: all }), Date.now());
  return changes.apply.find(({ kind }) => kind === 'ConfigMap') as unknown as MapTexts & Readonly<Record<string, unknown>>;
}

describe('the ConfigMap of a pool', () => {
  it('holds the largest pool that is accepted while every pod of it is being replaced', () => {
    const map = mapOf(8_000);
    expect(packedBytes(map)).toBeLessThan(1_048_576);
    expect(readProxyConfig(unpackText(map, 'proxy.json')).servers).toHaveLength(8_000);
    expect(readSavedState(unpackText(map, 'state.json') ?? '')?.roster).toHaveLength(8_000);
    expect(unpackText(map, 'haproxy.cfg')?.match(/^ {4}server .* weight /gm)).toHaveLength(8_000);
  }, 30_000);

  it('is plain text for people, where it fits', () => {
    const { binaryData, data } = mapOf(1_000);
    expect([Object.keys(data), Object.keys(binaryData)]).toEqual([['haproxy.cfg'], ['proxy.json.gz', 'state.json.gz']]);
    expect(Object.keys(mapOf(20).data)).toEqual(['haproxy.cfg', 'proxy.json', 'state.json']);
  });
});
