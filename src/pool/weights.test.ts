import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeWeights, MAX_WEIGHT, sharePercent } from './weights.ts';

const guide = [
  { name: 'a', capacity: { cores: 2, cards: 4, latencyMs: 10 } },
  { name: 'b', capacity: { cores: 4, cards: 8, latencyMs: 10 } },
  { name: 'c', capacity: { cores: 4, cards: 8, latencyMs: 100 } },
];

const capacity = fc.record(
  { cores: fc.integer({ min: 1, max: 64 }), cards: fc.integer({ min: 1, max: 64 }), latencyMs: fc.integer({ min: 1, max: 1_000 }) },
  { requiredKeys: [] },
);
const backends = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 8 }),
    capacity,
    weight: fc.option(fc.integer({ min: 0, max: 256 }), { nil: undefined }),
  }),
  {
    selector: (backend) => backend.name,
    minLength: 1,
    maxLength: 20,
  },
);
const policy = fc.constantFrom('Formula' as const, 'Balanced' as const, 'Equal' as const);

describe('computeWeights', () => {
  it('follows cores × cards ÷ latency', () => {
    expect([...computeWeights(guide, 'Formula').values()]).toEqual([64, 256, 26]);
  });

  it('reproduces the worked examples with Balanced: 2:1 for twice of both, 1.5:1 with ten times the latency', () => {
    const weights = computeWeights(guide, 'Balanced');
    const [a = 0, b = 0, c = 0] = [...weights.values()];
    expect(b / a).toBeCloseTo(2, 2);
    expect(c / a).toBeCloseTo(1.5, 1);
  });

  it('treats all the same with Equal', () => {
    expect(new Set(computeWeights(guide, 'Equal').values())).toEqual(new Set([MAX_WEIGHT]));
  });

  it('takes an explicit weight as it is, and does not let it move the others', () => {
    const weights = computeWeights([...guide, { name: 'd', capacity: {}, weight: 0 }, { name: 'e', capacity: {}, weight: 40 }], 'Formula');
    expect([...weights.values()]).toEqual([64, 256, 26, 0, 40]);
  });

  it('counts a missing figure as the median of the others, or as 1', () => {
    expect([...computeWeights([...guide, { name: 'd', capacity: undefined }], 'Formula').values()][3]).toBe(256); // 4 cores, 8 cards, 10 ms
    expect([
      ...computeWeights(
        [
          { name: 'x', capacity: {} },
          { name: 'y', capacity: { cores: 2 } },
        ],
        'Formula',
      ).values(),
    ]).toEqual([256, 256]);
  });

  it('keeps computed weights within 1..256, the largest at 256', () => {
    fc.assert(
      fc.property(backends, policy, (list, chosen) => {
        const weights = computeWeights(list, chosen);
        const computed = list.filter((backend) => backend.weight === undefined).map((backend) => weights.get(backend.name) ?? 0);
        return (
          computed.every((weight) => Number.isInteger(weight) && weight >= 1 && weight <= MAX_WEIGHT) &&
          (computed.length === 0 || Math.max(...computed) === MAX_WEIGHT)
        );
      }),
    );
  });

  it('keeps order, and ratio within rounding', () => {
    const full = fc.record({
      cores: fc.integer({ min: 1, max: 8 }),
      cards: fc.integer({ min: 1, max: 8 }),
      latencyMs: fc.integer({ min: 10, max: 20 }),
    });
    fc.assert(
      fc.property(full, full, (a, b) => {
        const weights = computeWeights(
          [
            { name: 'a', capacity: a },
            { name: 'b', capacity: b },
          ],
          'Formula',
        );
        const [x = 0, y = 0] = [...weights.values()];
        const exact = (a.cores * a.cards * b.latencyMs) / (b.cores * b.cards * a.latencyMs);
        if (exact > 1) expect(x).toBeGreaterThanOrEqual(y);
        const scaled = exact > 1 ? MAX_WEIGHT / exact : MAX_WEIGHT * exact;
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(Math.max(1, scaled - 0.51));
        expect(Math.min(x, y)).toBeLessThanOrEqual(Math.max(1, scaled + 0.51));
      }),
    );
  });

  it('does not depend on the order of the backends', () => {
    fc.assert(
      fc.property(backends, policy, (list, chosen) => {
        const forward = computeWeights(list, chosen);
        const backward = computeWeights([...list].reverse(), chosen);
        for (const [name, weight] of forward) expect(backward.get(name)).toBe(weight);
      }),
    );
  });
});

describe('sharePercent', () => {
  it('is 0 for every server when no server has a weight', () => {
    expect(sharePercent(0, [0, 0])).toBe(0);
  });

  it('rounds to whole percents', () => {
    expect([64, 256, 26].map((weight) => sharePercent(weight, [64, 256, 26]))).toEqual([18, 74, 8]);
  });
});
