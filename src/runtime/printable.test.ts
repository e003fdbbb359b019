import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from './printable.ts';

describe('printable', () => {
  it('shows what would hide, move or forge', () => {
    expect(printable('a\x1b[2Jb\n\u202ec\u009b')).toBe('a\\u{1b}[2Jb\\u{a}\\u{202e}c\\u{9b}');
  });

  it('is printable ASCII of bounded length, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => /^[\x20-\x7e]*$/.test(printable(text)) && printable(text, 50).length <= 53),
    );
  });
});
