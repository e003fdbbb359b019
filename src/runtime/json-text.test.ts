import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listItems, pruneJson } from './json-text.ts';

const ANY = { depth: 0, dropped: new Set<string>(), memberValues: 1_000_000 };

describe('pruneJson', () => {
  it('leaves a text as it is of which everything is wanted', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (text, depth) => {
        expect(pruneJson(text, { ...ANY, depth }).text).toBe(text);
      }),
    );
  });

  it('gives valid JSON in which exactly the members are null that are not wanted', () => {
    const name = fc.constantFrom('a', 'metadata', 'drop', 'x"\\', '');
    const object = fc.dictionary(name, fc.oneof(fc.jsonValue(), fc.dictionary(name, fc.jsonValue())));
    fc.assert(
      fc.property(object, fc.constantFrom(0, 1), (value, space) => {
        const { text } = pruneJson(JSON.stringify(value, null, space), { ...ANY, dropped: new Set(['drop']) });
        const expected = structuredClone(value);
        const { metadata } = expected as { metadata?: unknown };
        if (typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) && 'drop' in metadata) metadata.drop = null;
        if ('drop' in expected) expected['drop'] = null;
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
    );
  });

  it('takes out members with too many values, of each object of a list by itself', () => {
    const many = Array.from({ length: 100 }, () => ({}));
    const items = [
      { metadata: { name: 'a', labels: many }, spec: { b: 1 } },
      { spec: many, status: [1, 2] },
    ];
    const pruned = pruneJson(JSON.stringify({ items, more: many }), { depth: 2, dropped: new Set(), memberValues: 99 });
    expect(JSON.parse(pruned.text)).toEqual({
      items: [
        { metadata: { name: 'a', labels: null }, spec: { b: 1 } },
        { spec: null, status: [1, 2] },
      ],
      more: many,
    });
  });

  it('counts what is left', () => {
    expect(pruneJson('{"items":[{"a":[1,2]},{"drop":[1,2,3,4]}]}', { ...ANY, depth: 2, dropped: new Set(['drop']) }).values).toBe(7);
    expect(pruneJson('[1,2,3]', ANY).values).toBe(3);
  });

  it.each(['', '"', '{"a":"', ']]]]', '{"a":1}}}}', '\\"\\"', `"${'\\'.repeat(100_000)}`])(
    'ends with a text that is no JSON: %.12s',
    (text) => {
      expect(pruneJson(text, ANY).text).toBe(text);
    },
  );
});

describe('listItems', () => {
  it('gives the items of any list', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 2), (list, space) => {
        const items = [...listItems(JSON.stringify(list, null, space))].map((item) => JSON.parse(item) as unknown);
        expect(items).toEqual(JSON.parse(JSON.stringify(list)));
      }),
    );
  });

  it.each(['', '[]', ' [ ] ', '{}', '1', '[', 'null'])('gives none where there is none: %j', (text) => {
    expect([...listItems(text)]).toEqual([]);
  });

  it('ends with a text that is no JSON', () => {
    for (const text of ['["]', '[1,,]', '[}}}]', '["\\"]']) expect([...listItems(text)].length).toBeGreaterThan(0);
  });
});
