import type { BackendSpec } from '../api/v1alpha1/index.ts';

/** Sessions that the largest backend can hold by default: the low end of what administrators of such servers report. */
export const DEFAULT_MAX_CONNECTIONS = 1_000;
/** No derived limit is smaller than this part of the largest: a weight says which server comes first, not that another one holds almost nothing. */
const LEAST_PART = 1 / 10;

type Limited = Pick<BackendSpec, 'name' | 'capacity' | 'role'>;

/**
 * Sessions that each server of a backend may hold over all proxies, by backend name: as stated, else in proportion to the weights.
 *
 * A Backup's part goes by its cores and cards alone. Its latency says why it is second choice, and not how many it can hold when it is
 * the only one.
 *
 * @param weights by backend name, as `computeWeights` gives them
 */
export function serverLimits(backends: readonly Limited[], weights: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const weightOf = ({ name }: Limited): number => weights.get(name) ?? 0;
  const actives = backends.filter(({ role }) => role === 'Active');
  const largest = [...(actives.length === 0 ? backends : actives)].sort((a, b) => weightOf(b) - weightOf(a))[0];
  const reference = largest?.capacity?.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  const part = (backend: Limited): number => {
    // A weight of 0 takes no new sessions, but existing ones count.
    if (largest === undefined || weightOf(largest) === 0 || weightOf(backend) === 0) return 1;
    return backend.role === 'Backup' ? size(backend) / size(largest) : weightOf(backend) / weightOf(largest);
  };
  return new Map(
    backends.map((backend) => {
      const derived = Math.ceil(reference * Math.min(1, Math.max(part(backend), LEAST_PART)));
      return [backend.name, backend.capacity?.maxConnections ?? Math.max(1, derived)];
    }),
  );
}

/** What a server can do, its latency apart; a missing figure counts as 1. */
function size({ capacity }: Limited): number {
  return (capacity?.cores ?? 1) * (capacity?.cards ?? 1);
}
