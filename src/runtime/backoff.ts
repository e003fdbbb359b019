/** Delays between retries of one key: doubling from `firstMs` to `capMs`, each spread by ±`jitter` (0..1), so that many do not retry in step. */
export interface Backoff {
  readonly firstMs: number;
  readonly capMs: number;
  readonly jitter: number;
}

/**
 * Delay before the next try, in milliseconds.
 *
 * @param failures failures in a row so far, ≥ 1
 * @param random uniform in [0, 1)
 * @throws RangeError when `failures` is below 1: what has not failed has no delay
 */
export function backoffMs(backoff: Backoff, failures: number, random: number): number {
  if (failures < 1) throw new RangeError(`failures must be at least 1, got ${failures}`);
  const doubled = backoff.firstMs * 2 ** Math.min(failures - 1, 30); // 2^30 is above every cap; more would overflow
  const spread = 1 + backoff.jitter * (2 * random - 1);
  return Math.round(Math.min(doubled, backoff.capMs) * spread);
}
