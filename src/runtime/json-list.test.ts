import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listItems } from './json-list.ts';

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
