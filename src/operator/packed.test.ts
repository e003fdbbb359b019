import { describe, expect, it } from 'vitest';
import { Packed } from './packed.ts';

describe('Packed', () => {
  it('gives back the data, whether it was let go meanwhile or not', () => {
    const data = { list: [1, { a: null }], text: 'ü' };
    const packed = new Packed(data);
    expect(packed.value).toBe(data);
    const restored = new Packed(JSON.parse(JSON.stringify(data)) as typeof data);
    expect(restored.value).toEqual(data);
  });

  it('compares as text', () => {
    expect(JSON.stringify({ packed: new Packed({ a: 1 }) })).toBe(JSON.stringify({ packed: new Packed({ a: 1 }) }));
    expect(JSON.stringify(new Packed({ a: 1 }))).not.toBe(JSON.stringify(new Packed({ a: 2 })));
  });
});
