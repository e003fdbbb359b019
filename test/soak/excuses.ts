/** A session that ended though its client wanted it. Times on the monotonic clock. */
export interface Loss {
  /** Label of the server that served it. */
  readonly label: string;
  readonly at: number;
}

interface Excuse {
  /** The server whose sessions may end; null for all. */
  readonly label: string | null;
  readonly from: number;
  readonly to: number;
}

/** Knows when sessions may end: a server dies with its own, a drain has an end, and a worker that is killed takes all. */
export class Excuses {
  readonly #excuses: Excuse[] = [];

  /** @param label null for every server @param to for how long; without an end where it is left out */
  add(label: string | null, from: number, to = Number.POSITIVE_INFINITY): void {
    this.#excuses.push({ label, from, to });
  }

  /** Losses that nothing explains. */
  unexplained(losses: readonly Loss[]): Loss[] {
    return losses.filter(
      ({ at, label }) => !this.#excuses.some((each) => (each.label === null || each.label === label) && each.from <= at && at <= each.to),
    );
  }
}
