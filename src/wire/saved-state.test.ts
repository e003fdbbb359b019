import { expect, it } from 'vitest';
import { packTexts, unpackText } from './packed-text.ts';
import type { SavedServer } from './saved-roster.ts';
import { CONFIG_KEYS, readSavedState, savedStateText } from './saved-state.ts';

it('the state of the largest pool in the middle of a rolling update comes back whole from its ConfigMap', () => {
  const proxies = Array.from({ length: 8 }, (_, index) => `living-room-haproxy-6c9f7d5b8f-abcd${index}`);
  const shares = Object.fromEntries(proxies.map((proxy) => [proxy, 125]));
  const roster = Array.from({ length: 8_000 }, (_, index): SavedServer => {
    const pod = `living-room-rack-7d9c5b6f8-${String(index).padStart(5, '0')}`;
    const address = `10.${index >> 8}.${index & 255}.1`;
    const drain = { kind: 'draining', reason: 'removed', since: 1_790_000_000_000 } as const;
    const target = { address, port: 12_000, weight: 100, maxConnections: 1_000, role: 'Active', deadlineMs: 1_800_000 } as const;
    return {
      name: `${pod}-${address}:12000`,
      id: index + 1,
      backend: 'rack',
      ...target,
      drain,
      pod: { name: pod, uid: `u${index}` },
      shares,
    };
  });
  const text = savedStateText({ spec: { backends: [{ name: 'rack', replicas: 4_000 }] }, roster });
  const map = packTexts({ [CONFIG_KEYS.state]: { text, plainBytes: 32_768 } });
  expect(readSavedState(unpackText({ ...map }, CONFIG_KEYS.state) ?? '')?.roster).toEqual(roster);
});
