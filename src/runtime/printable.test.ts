import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, withoutControls } from './printable.ts';

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

describe('withoutControls', () => {
  it('leaves letters of any script and line ends, and shows what moves a cursor or turns letters around', () => {
    expect(withoutControls('√(cores × cards)\nЗал')).toBe('√(cores × cards)\nЗал');
    expect(withoutControls('a\x1b[2J\x9b\u202e\u2028b\r')).toBe('a\\u{1b}[2J\\u{9b}\\u{202e}\\u{2028}b\\u{d}');
  });
});
