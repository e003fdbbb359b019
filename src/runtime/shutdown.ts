const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What a person or a service manager asks for by signals: the first one to end well, the second one to end at once. */
export class Shutdown {
  readonly #stopping = new AbortController();
  readonly #forced = new AbortController();
  readonly #listener = (): void => {
    if (this.#stopping.signal.aborted) this.#forced.abort();
    this.#stopping.abort();
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  /** Aborted by the first signal. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborted by the second signal. */
  get forced(): AbortSignal {
    return this.#forced.signal;
  }

  /** Resolves at the first signal. */
  async requested(): Promise<void> {
    if (this.stopping.aborted) return;
    await new Promise<void>((resolve) => {
      this.stopping.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Lets go of the signals. */
  dispose(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}
