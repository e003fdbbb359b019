import type { PoolEvent } from '../pool/pool-event.ts';
import type { Roster } from '../pool/roster.ts';
import { Packed } from './packed.ts';

/** What one pool is remembered by between two passes. Nothing of it must survive a restart. */
export interface ReconcileState {
  /** The last roster that was decided, for the day when somebody deletes the ConfigMap that it is saved in. */
  roster: Packed<Roster>;
  /** Events that are still to be written. */
  readonly pendingEvents: PoolEvent[];
  /** Since when telling waits for something that clients feel, on the clock that never jumps; null while it does not. */
  waitingSince: number | null;
  /** When the status was written last, on the clock that never jumps. */
  statusAt: number;
  /** What the API server made of what was applied: fingerprints by `childKey`, with the uid of the object. */
  readonly verified: Map<string, { readonly uid: string; readonly fingerprint: string }>;
  /** Children that the API server refused, by `childKey`: which content, why, and when it is tried again. */
  readonly refused: Map<string, { readonly applied: string; readonly message: string; readonly until: number }>;
  /** What was applied last, by `childKey`: how often in a row the very same content, and when. */
  readonly contested: Map<string, { readonly applied: string; readonly times: number; readonly at: number }>;
  /** Children that are there and are not ours, with the uid of their owner; found by asking, because the watches do not see them. */
  readonly notOwned: Map<string, { readonly uid: string; readonly ownerUid: string | null; readonly retryAt: number }>;
}

/** Remembers pools for as long as they are there. */
export class ReconcileStates {
  readonly #pools = new Map<string, ReconcileState>();

  /** What is remembered of a pool; it is a new page for a new pool. */
  of(uid: string): ReconcileState {
    const known = this.#pools.get(uid);
    if (known !== undefined) return known;
    const fresh: ReconcileState = {
      roster: new Packed<Roster>([]),
      pendingEvents: [],
      waitingSince: null,
      statusAt: Number.NEGATIVE_INFINITY,
      verified: new Map(),
      refused: new Map(),
      contested: new Map(),
      notOwned: new Map(),
    };
    this.#pools.set(uid, fresh);
    return fresh;
  }

  /** Forgets a pool that is gone. */
  forget(uid: string): void {
    this.#pools.delete(uid);
  }
}
