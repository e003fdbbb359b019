import { describe, expect, it } from 'vitest';
import { agentKey, hasKey, KEY_HEADER } from './agent-key.ts';

const KEYS = [
  agentKey('end a proxy', 'uid'),
  agentKey('end a server', 'uid', 'a'),
  agentKey('end a server', 'uid', 'b'),
  agentKey('link to a server', 'uid', 'a'),
  agentKey('link to a server', 'uid', 'b'),
  agentKey('link to a server', 'another', 'a'),
];

describe('a key', () => {
  it('opens one use of one backend of one pool, and nothing else', () => {
    for (const [index, key] of KEYS.entries()) {
      const opened = KEYS.map((wanted) => hasKey({ [KEY_HEADER]: key }, wanted));
      expect(opened).toEqual(KEYS.map((_, other) => other === index));
    }
  });

  it.each([undefined, '', 'x'.repeat(32), ['x', 'y']])('is not %j', (given) => {
    expect(hasKey(given === undefined ? {} : { [KEY_HEADER]: given }, KEYS[0] ?? '')).toBe(false);
  });
});
