import { DURATION_PATTERN, durationMs } from '../api/v1alpha1/index.ts';
import { LONGEST_DRAIN_MS } from '../wire/drain-times.ts';

/** What a drain annotation asks for. */
export interface DrainRequest {
  /** How long the drain may take, in milliseconds; null for the pool's own deadline. */
  readonly deadlineMs: number | null;
  /** False for a text that is neither `true` nor a duration. It drains anyway: a drain was clearly wanted. */
  readonly understood: boolean;
}

/** Reads a drain annotation. No annotation, an empty one and `false` ask for nothing: null. */
export function readDrainRequest(text: string | null): DrainRequest | null {
  if (text === null || text === '' || text === 'false') return null;
  if (text === 'true') return { deadlineMs: null, understood: true };
  if (!DURATION_PATTERN.test(text)) return { deadlineMs: null, understood: false };
  const deadlineMs = durationMs(text);
  return deadlineMs <= LONGEST_DRAIN_MS ? { deadlineMs, understood: true } : { deadlineMs: null, understood: false };
}

/** Reads when a drain began. A text that is no time, or one that lies ahead, gives null: a drain never lasts longer than from now. */
export function readDrainSince(text: string | null, now: number): number | null {
  if (text === null || text.length > 40) return null;
  const since = Date.parse(text);
  return Number.isFinite(since) && since >= 0 && since <= now ? since : null;
}
