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

  it('takes a tenth of a long text where that is asked for, and is the same data', async () => {
    const data = { servers: Array.from({ length: 1_000 }, (_, id) => ({ id, name: `server-${id}`, address: `10.0.0.${id % 250}` })) };
    const [packed, plain] = [new Packed(structuredClone(data), 8_192), new Packed(data)];
    expect(packed.size).toBeLessThan(plain.size / 5);
    expect(JSON.stringify(packed)).toBe(JSON.stringify(plain));
    expect(JSON.parse(packed.toJSON())).toEqual(data);
    expect(new Packed({ a: 1 }, 8_192).size).toBe(new Packed({ a: 1 }).size);
  });

  it('compares as text', () => {
    expect(JSON.stringify({ packed: new Packed({ a: 1 }) })).toBe(JSON.stringify({ packed: new Packed({ a: 1 }) }));
    expect(JSON.stringify(new Packed({ a: 1 }))).not.toBe(JSON.stringify(new Packed({ a: 2 })));
  });
});
