/** How much of something may come: so much per second in the long run, and a burst at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What a peer may send over one connection. A peer that goes beyond it is disconnected. */
export interface StreamLimits {
  /** Longest line. */
  readonly lineBytes: number;
  readonly bytes: Rate;
  /** Lines, empty ones among them. */
  readonly lines: Rate;
  /** Time without a whole line after which the connection counts as dead, in milliseconds. */
  readonly silenceMs: number;
}
