import type { Issue, PoolSpec } from '../api/v1alpha1/index.ts';
import { computeWeights, sharePercent } from './weights.ts';

/** What is fine in a spec and probably not what its owner meant. */
export function specWarnings(spec: PoolSpec): Issue[] {
  return mixedWeights(spec);
}

/** Explicit weights beside computed ones: those go up to 256, and a 10 that was meant as much is next to nothing. */
function mixedWeights({ backends, weights: { policy } }: PoolSpec): Issue[] {
  const weights = computeWeights(backends, policy);
  const computed = backends.filter(({ weight }) => weight === undefined);
  const [other] = [...computed].sort((a, b) => (weights.get(b.name) ?? 0) - (weights.get(a.name) ?? 0));
  if (other === undefined) return [];
  return backends.flatMap(({ name, weight }, index) => {
    if (weight === undefined || weight === 0) return [];
    const largest = weights.get(other.name) ?? 1;
    const share = sharePercent(weight, [weight, largest]);
    const message = `${weight} beside the computed ${largest} of ${other.name}: they share ${share} : ${100 - share}. Give every backend a weight, or none (${name})`;
    return [{ path: ['spec', 'backends', index, 'weight'], message }];
  });
}
