import { describe, expect, it } from 'vitest';
import { growth } from './growth.ts';

const samples = (values: readonly number[]) => values.map((heap) => ({ heap }));

describe('what has grown', () => {
  it('is nothing where a start was followed by a steady state', () => {
    expect(growth(samples([1, 5, 9, 10, 11, 10, 10, 11, 10]), { heap: 0 })).toEqual([]);
  });

  it('is named with both figures where the last third is above the second', () => {
    expect(growth(samples([1, 1, 1, 10, 11, 10, 14, 15, 16]), { heap: 2 })).toEqual(['heap has grown from 10 to 15']);
  });

  it('is not what one high sample says', () => {
    expect(growth(samples([1, 1, 1, 10, 10, 10, 10, 90, 10]), { heap: 2 })).toEqual([]);
  });

  it('is not told from too few samples, or from samples without a figure', () => {
    expect(() => growth(samples([1, 2, 3]), { heap: 2 })).toThrow('3 samples');
    expect(() => growth(samples([1, 1, 1, 1, 1, 1, 1, 1, 1]), { files: 2 })).toThrow('files');
  });
});
