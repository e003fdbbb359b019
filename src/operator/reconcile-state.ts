import type { PoolEvent } from '../pool/pool-event.ts';
import type { Roster } from '../pool/roster.ts';
import type { Applied } from './contest.ts';
import { Packed } from './packed.ts';

/** What is remembered of one pool between two passes. None of it must survive a restart. */
export interface ReconcileState {
  /** The last roster that was decided, in case the ConfigMap that it is saved in is deleted. */
  roster: Packed<Roster>;
  /** Events that are still to be written. */
  readonly pendingEvents: PoolEvent[];
  /** Since when a report waits for something that clients feel, on the monotonic clock; null while it does not. */
  waitingSince: number | null;
  /** When the status was written last, on the monotonic clock. */
  statusAt: number;
  /** What the API server made of what was applied: fingerprints by `childKey`, with the uid of the object. */
  readonly verified: Map<string, { readonly uid: string; readonly fingerprint: string }>;
  /** Children that the API server refused, by `childKey`: which content, why, and when it is tried again. */
  readonly refused: Map<string, { readonly applied: string; readonly message: string; readonly until: number }>;
  /** What was applied last, by `childKey`. */
  readonly applied: Map<string, Applied>;
  /** Objects with the names of children that are not ours, with the uid of their owner; found by asking, because the watches do not see them. */
  readonly notOwned: Map<string, { readonly uid: string; readonly ownerUid: string | null; readonly retryAt: number }>;
}

/** The state of a pool that was just seen for the first time. */
export function newReconcileState(): ReconcileState {
  return {
    roster: new Packed<Roster>([]),
    pendingEvents: [],
    waitingSince: null,
    statusAt: Number.NEGATIVE_INFINITY,
    verified: new Map(),
    refused: new Map(),
    applied: new Map(),
    notOwned: new Map(),
  };
}

/** Remembers pools for as long as they are there. */
export class ReconcileStates {
  readonly #pools = new Map<string, ReconcileState>();

  /** The state of a pool; a new pool of the same name begins with nothing. */
  of(uid: string): ReconcileState {
    const known = this.#pools.get(uid);
    if (known !== undefined) return known;
    const fresh = newReconcileState();
    this.#pools.set(uid, fresh);
    return fresh;
  }

  /** Forgets a pool that is gone. */
  forget(uid: string): void {
    this.#pools.delete(uid);
  }
}
