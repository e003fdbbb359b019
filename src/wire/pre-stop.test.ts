import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { preStopHook, readPreStopCall } from './pre-stop.ts';

describe('a drain call', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(600_000_000), fc.boolean(), fc.boolean(), (deadlineMs, close, helper) => {
        const { path } = preStopHook({ deadlineMs, close, helper }, 9_322).httpGet;
        expect(readPreStopCall(path)).toEqual({ deadlineMs, close, ...(helper ? { helper } : {}) });
      }),
    );
  });

  it.each(['/drain', '/drain?deadlineMs=', '/drain?deadlineMs=-1', '/drain?deadlineMs=1e3', '/drain?deadlineMs=999999999', undefined])(
    'is not obeyed when it names no time that makes sense: %s',
    (url) => {
      expect(readPreStopCall(url)).toBeNull();
    },
  );
});
