const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What a person or a service manager asks for by signals: the first one to end well, the second one to end at once. */
export class Shutdown {
  readonly #ending = new AbortController();
  readonly #hurrying = new AbortController();
  readonly #listener = (): void => {
    if (this.#ending.signal.aborted) this.#hurrying.abort();
    this.#ending.abort();
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  /** Aborted by the first signal. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Aborted by the second signal. */
  get hurrying(): AbortSignal {
    return this.#hurrying.signal;
  }

  /** Resolves at the first signal. */
  async requested(): Promise<void> {
    if (this.ending.aborted) return;
    await new Promise<void>((resolve) => {
      this.ending.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Lets go of the signals. */
  dispose(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}
