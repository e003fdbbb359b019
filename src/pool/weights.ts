import type { BackendSpec, Capacity, WeightPolicy } from '../api/v1alpha1/index.ts';

/** HAProxy's largest weight; the largest computed one becomes this, so that rounding costs the others least. */
export const MAX_WEIGHT = 256;

type Weighed = Pick<BackendSpec, 'name' | 'capacity' | 'weight'>;

/** What a backend can do, with every figure known. */
interface FullCapacity {
  readonly cores: number;
  readonly cards: number;
  readonly latencyMs: number;
}

/**
 * HAProxy weights by backend name, 0..256. An explicit weight is taken as it is; the computed ones keep their order and, within
 * rounding, their ratio, and are never 0: only a person takes a server's clients away.
 *
 * `Formula` is cores × cards ÷ latency. `Balanced` is √(cores × cards) × latency^(-1/8): twice the cores and twice the cards are
 * then 2:1, and ten times the latency turns 2:1 into 1.5:1.
 */
export function computeWeights(backends: readonly Weighed[], policy: WeightPolicy): ReadonlyMap<string, number> {
  const computed = backends.filter((backend) => backend.weight === undefined);
  const capacities = fillGaps(computed.map((backend) => backend.capacity ?? {}));
  const raw = capacities.map((capacity) => rawWeight(capacity, policy));
  const largest = Math.max(...raw, Number.MIN_VALUE);
  const scaled = new Map(computed.map((backend, index) => [backend.name, scale(raw[index] ?? 0, largest)]));
  return new Map(backends.map((backend) => [backend.name, backend.weight ?? scaled.get(backend.name) ?? 1]));
}

/** Share of new sessions that a weight stands for, in percent of all; 0 when the weights add up to 0. */
export function sharePercent(weight: number, all: readonly number[]): number {
  const sum = all.reduce((total, each) => total + each, 0);
  return sum === 0 ? 0 : Math.round((100 * weight) / sum);
}

function rawWeight(capacity: FullCapacity, policy: WeightPolicy): number {
  switch (policy) {
    case 'Equal':
      return 1;
    case 'Balanced':
      return Math.sqrt(capacity.cores * capacity.cards) * capacity.latencyMs ** (-1 / 8);
    case 'Formula':
      return (capacity.cores * capacity.cards) / capacity.latencyMs;
  }
}

function scale(raw: number, largest: number): number {
  return Math.min(MAX_WEIGHT, Math.max(1, Math.round((MAX_WEIGHT * raw) / largest)));
}

/** A figure that is missing for a backend counts as the median of the others, or 1 where all are missing. */
function fillGaps(capacities: readonly Capacity[]): FullCapacity[] {
  const typical = {
    cores: median(capacities.map((capacity) => capacity.cores)),
    cards: median(capacities.map((capacity) => capacity.cards)),
    latencyMs: median(capacities.map((capacity) => capacity.latencyMs)),
  };
  return capacities.map((capacity) => ({
    cores: capacity.cores ?? typical.cores,
    cards: capacity.cards ?? typical.cards,
    latencyMs: capacity.latencyMs ?? typical.latencyMs,
  }));
}

function median(values: readonly (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = Math.floor(known.length / 2);
  const upper = known[middle];
  if (upper === undefined) return 1;
  return known.length % 2 === 1 ? upper : ((known[middle - 1] ?? upper) + upper) / 2;
}
