import { access } from 'node:fs/promises';
import type { ConfigStore } from '../haproxy/config-store.ts';
import { errorFields, type Logger } from '../runtime/logger.ts';

/** The file that HAProxy begins with. It is written once; from then on it follows what runs. */
export class ConfigStart {
  readonly #config: ConfigStore;
  readonly #path: string;
  readonly #log: Logger;
  #begun = false;
  done = false;
  /** Why it is not done. */
  why = 'waiting for the config of the pool';

  constructor(config: ConfigStore, path: string, log: Logger) {
    this.#config = config;
    this.#path = path;
    this.#log = log;
  }

  /** Looks for a file that an earlier agent of this pod has left: HAProxy runs with it, and it is not overwritten blindly. */
  async find(): Promise<void> {
    this.done = await access(this.#path).then(
      () => true,
      () => false,
    );
    this.#begun = this.done;
  }

  /** Writes the file, the first time that it is known what should stand there. */
  prepare(model: Parameters<ConfigStore['writeForStart']>[0]): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#config.writeForStart(model).then(
      () => {
        this.done = true;
      },
      (thrown: unknown) => {
        this.#begun = false;
        this.#log.error(errorFields(thrown), 'cannot write the configuration');
      },
    );
  }
}
