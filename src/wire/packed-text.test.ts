import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packedBytes, packTexts, unpackText } from './packed-text.ts';

describe('texts of a ConfigMap', () => {
  it('are read as they were written, in whichever form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(200), (text, plainBytes) => {
        const packed = packTexts({ 'a.json': { text, plainBytes }, 'b.json': { text: 'b', plainBytes: 1 } });
        expect([unpackText({ ...packed }, 'a.json'), unpackText({ ...packed }, 'b.json')]).toEqual([text, 'b']);
        expect(Object.keys(packed.data).includes('a.json')).toBe(text.length <= plainBytes);
      }),
    );
  });

  it('are the same bytes for the same text, so that nothing is written again for nothing', () => {
    const pack = (): unknown => packTexts({ a: { text: 'x'.repeat(1_000), plainBytes: 10 } });
    expect(pack()).toEqual(pack());
  });

  it('are measured as the API server does', () => {
    const text = 'ä'.repeat(500);
    expect(packedBytes(packTexts({ a: { text, plainBytes: 1_000 } }))).toBe(1_000);
    expect(packedBytes(packTexts({ a: { text, plainBytes: 10 } }))).toBe(gzipSync(text).length);
  });

  it.each([
    ['nothing', {}],
    ['what is no object', { data: 'x', binaryData: 7 }],
    ['what is no text', { data: { a: 1 } }],
    ['what is not compressed', { binaryData: { 'a.gz': Buffer.from('plain').toString('base64') } }],
    ['what is cut off', { binaryData: { 'a.gz': gzipSync('x'.repeat(1_000)).subarray(0, 15).toString('base64') } }],
    ['what becomes far too long', { binaryData: { 'a.gz': gzipSync(Buffer.alloc(17 * 1_048_576)).toString('base64') } }],
  ])('are not there in %s', (_what, object) => {
    expect(unpackText(object, 'a')).toBeUndefined();
  });
});
