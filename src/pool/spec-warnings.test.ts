import { describe, expect, it } from 'vitest';
import { aBackend, aPool } from '../../test/fakes/pools.ts';
import { specWarnings } from './spec-warnings.ts';

const weights = (...each: (number | undefined)[]): string[] =>
  specWarnings(
    aPool({
      backends: each.map((weight, index) => aBackend(`b${index}`, `127.0.1.${index + 1}`, weight === undefined ? {} : { weight })),
    }).spec,
  ).map(({ message, path }) => `${path.join('.')}: ${message}`);

describe('warnings of a spec', () => {
  it('name an explicit weight beside a computed one, with both figures and the share that results', () => {
    expect(weights(10, undefined)).toEqual([
      'spec.backends.0.weight: 10 beside the computed 256 of b1: they share 4 : 96. Give every backend a weight, or none (b0)',
    ]);
  });

  it('are none where all weights are explicit, or none is, or one is a drain', () => {
    expect(weights(10, 20)).toEqual([]);
    expect(weights(undefined, undefined)).toEqual([]);
    expect(weights(0, undefined)).toEqual([]);
  });
});
