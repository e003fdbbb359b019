import type { Damage, Stage } from '../scenes/stage.ts';

/** Something that happens to servers, to the network, to a proxy or to its owner's file. */
export interface Accident {
  /** Unique; a row of the table in the documents. */
  readonly name: string;
  /** Servers that there are at first. */
  readonly servers: number;
  /** Sets the stage, lets it happen, and waits until it is over. */
  readonly happens: (stage: Stage) => Promise<void>;
  /** What it must cost ours at most; never more than the plain file either. */
  readonly most: Pick<Damage, 'lost' | 'unserved'>;
  /** States and events that ours must have told of; `a|b` is one of the two. */
  readonly tells: readonly string[];
}

/** Nobody is lost, everybody is served. */
export const NOTHING = { lost: 0, unserved: 0 } as const;
