import { backoffMs } from '../runtime/backoff.ts';

/** How fast an object is put back that something else keeps changing. */
const BACKOFF = { firstMs: 500, capMs: 60_000, jitter: 0.2 } as const;
const OVER_MS = 120_000;

/** The content that was applied to an object last. */
export interface Applied {
  /** Name of the content. */
  readonly content: string;
  /** How often in a row this very content was applied. */
  readonly times: number;
  /** When, on the monotonic clock. */
  readonly at: number;
}

/**
 * How long to wait before the very same content is applied once more, in milliseconds; 0 for not at all. Whatever else keeps changing the
 * object, another operator perhaps, is answered more and more slowly.
 *
 * @param random uniform in [0, 1)
 */
export function contestWaitMs(before: Applied | undefined, content: string, now: number, random: number): number {
  if (before === undefined || !isSame(before, content, now)) return 0;
  return Math.max(0, before.at + backoffMs(BACKOFF, before.times, random) - now);
}

/** The content has arrived. What was only sent does not count: an outage is no contest. */
export function afterApply(before: Applied | undefined, content: string, now: number): Applied {
  return { content, times: before !== undefined && isSame(before, content, now) ? before.times + 1 : 1, at: now };
}

function isSame(before: Applied, content: string, now: number): boolean {
  return before.content === content && now - before.at <= OVER_MS;
}
