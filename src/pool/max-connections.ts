import type { BackendSpec } from '../api/v1alpha1/index.ts';

/** Sessions that the largest backend can hold where nobody says otherwise: the low end of what the guide's readers report. */
export const DEFAULT_MAX_CONNECTIONS = 1_000;

/**
 * Sessions that one proxy may hold on each server, by backend name: in proportion to the weights, unless stated per backend.
 * A figure is for all proxies together, so each gets its part, rounded up.
 *
 * @param weights by backend name, as `computeWeights` gives them
 * @param proxies proxies in front of the servers, ≥ 1
 */
export function maxConnectionsPerProxy(
  backends: readonly Pick<BackendSpec, 'name' | 'capacity'>[],
  weights: ReadonlyMap<string, number>,
  proxies: number,
): ReadonlyMap<string, number> {
  const weightOf = (name: string): number => weights.get(name) ?? 0;
  const largest = backends.reduce((best, backend) => Math.max(best, weightOf(backend.name)), 0);
  const reference = backends.find((backend) => weightOf(backend.name) === largest)?.capacity?.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  return new Map(
    backends.map((backend) => {
      // A weight of 0 takes nobody new, but whoever is there counts: its limit is the reference's.
      const proportional = largest === 0 || weightOf(backend.name) === 0 ? reference : (reference * weightOf(backend.name)) / largest;
      const total = backend.capacity?.maxConnections ?? proportional;
      return [backend.name, Math.max(1, Math.ceil(total / proxies))];
    }),
  );
}
