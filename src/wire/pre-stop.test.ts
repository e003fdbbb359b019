import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentKey } from './agent-key.ts';
import { preStopHook, readPreStopCall } from './pre-stop.ts';

const KEY = agentKey('end a server', 'some-uid');

/** The request that a kubelet makes of a hook. */
function request(hook: object): { url: string; headers: Record<string, string> } {
  const { httpGet } = hook as { httpGet: { path: string; httpHeaders: { name: string; value: string }[] } };
  return { url: httpGet.path, headers: Object.fromEntries(httpGet.httpHeaders.map(({ name, value }) => [name.toLowerCase(), value])) };
}

describe('a drain call', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(600_000_000), fc.boolean(), fc.boolean(), (deadlineMs, close, helper) => {
        const { headers, url } = request(preStopHook({ deadlineMs, close, helper }, 9_322, KEY));
        expect(readPreStopCall(url, headers, KEY)).toEqual({ deadlineMs, close, ...(helper ? { helper } : {}) });
      }),
    );
  });

  it.each([{}, { 'cccam-drain-key': '' }, { 'cccam-drain-key': agentKey('end a server', 'another') }, { 'cccam-drain-key': [KEY, KEY] }])(
    'is forbidden without the key: %j',
    (headers) => {
      expect(readPreStopCall('/drain?deadlineMs=1&close=true', headers, KEY)).toBe('forbidden');
    },
  );

  it.each(['/drain', '/drain?deadlineMs=', '/drain?deadlineMs=-1', '/drain?deadlineMs=1e3', '/drain?deadlineMs=999999999', undefined])(
    'is not obeyed when it names no time that makes sense: %s',
    (url) => {
      expect(readPreStopCall(url, { 'cccam-drain-key': KEY }, KEY)).toBe('unreadable');
    },
  );
});
