import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonSize } from './json-size.ts';

describe('jsonSize', () => {
  it('is about the length of the JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: fc.constantFrom('a', 'ä', '語') }), (value) => {
        const length = Buffer.byteLength(JSON.stringify(value));
        const { bytes } = jsonSize(value);
        expect(bytes).toBeGreaterThanOrEqual(length);
        expect(bytes).toBeLessThanOrEqual(1.5 * length + 2);
      }),
    );
  });

  it.each([
    [0, 'text'],
    [1, []],
    [2, { a: {} }],
    [3, [{ a: 1 }, [[]]]],
  ])('counts %d levels', (depth, value) => {
    expect(jsonSize(value).depth).toBe(depth);
  });

  it('ends, whatever the data is: nested deep, in itself, or a thousand million times the same', () => {
    let deep: unknown = {};
    for (let level = 0; level < 200_000; level += 1) deep = { deep };
    expect(jsonSize(deep).depth).toBe(10_000);
    const own: Record<string, unknown> = {};
    own['own'] = own;
    expect(jsonSize(own).depth).toBe(10_000);
    let laughs: unknown = 'ha';
    for (let level = 0; level < 12; level += 1) laughs = Array.from({ length: 10 }, () => laughs);
    expect(jsonSize(laughs).bytes).toBeGreaterThanOrEqual(4 * 1_048_576);
  });

  it('stops at a ceiling that is given', () => {
    const wide = Array.from({ length: 1_000 }, () => 'x'.repeat(100));
    const { bytes } = jsonSize(wide, { depth: 10, bytes: 5_000 });
    expect(bytes).toBeGreaterThanOrEqual(5_000);
    expect(bytes).toBeLessThan(6_000);
  });
});
