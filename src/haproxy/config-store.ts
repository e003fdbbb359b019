import { CccamError, messageOf } from '../runtime/errors.ts';
import type { ActualWorker } from './actual.ts';
import { checkConfig, replaceFile } from './config-file.ts';
import type { Report } from './event.ts';
import type { ProxyModel, Structure } from './model.ts';
import { renderConfig, structureHash } from './render.ts';

/**
 * The `haproxy.cfg` on disk. It follows the runtime state after every change, because a HAProxy that is started or reloaded for
 * whatever reason begins with it.
 */
export class ConfigStore {
  readonly #path: string;
  readonly #binary: string | null;
  readonly #report: Report;
  #written: string | undefined;
  #checked: string | undefined;
  #refused: string | undefined;
  #failing = false;

  /** @param binary checks each new structure before it counts; null where there is none, and HAProxy itself refuses what it cannot read */
  constructor(path: string, binary: string | null, report: Report) {
    this.#path = path;
    this.#binary = binary;
    this.#report = report;
  }

  /**
   * Writes the file for a cold start: a server is in rotation only once it has sent its greeting.
   *
   * @throws CccamError CCP_HAPROXY_CONFIG_REFUSED or CCP_STATE_UNWRITABLE: without a file there is nothing to start with
   */
  async writeForStart(model: ProxyModel): Promise<void> {
    const text = renderConfig(
      model.structure,
      model.servers.map((server) => ({ ...server, inService: false })),
    );
    await this.#check(model.structure, text);
    await replaceFile(this.#path, text);
    this.#written = text;
  }

  /**
   * Writes the file so that a new worker would go on where the current one is: servers that serve now serve at once.
   *
   * @param room places that each server has left, by name, where the sessions of now are going to be an earlier worker's; else its limit holds
   * @returns whether the file on disk is right, so that a reload may read it
   */
  async write(model: ProxyModel, current: ActualWorker, room: ReadonlyMap<string, number> | null = null): Promise<boolean> {
    const running = new Map(current.servers.map((server) => [server.name, server]));
    const servers = model.servers.map((server) => {
      const found = running.get(server.name);
      const places = room?.get(server.name) ?? server.maxConnections;
      const serves = server.state === 'ready' && found?.admin === 'ready' && found.operational === 'up';
      return { ...server, maxConnections: Math.max(1, places), inService: serves && places >= 1 };
    });
    const text = renderConfig(model.structure, servers);
    if (text === this.#written) return true;
    if (this.#refused === structureHash(model.structure)) return false;
    return await this.#tryToWrite(model.structure, text);
  }

  /** Something else has written the file: it is written again with the next change. */
  forget(): void {
    this.#written = undefined;
  }

  async #tryToWrite(structure: Structure, text: string): Promise<boolean> {
    try {
      await this.#check(structure, text);
      await replaceFile(this.#path, text);
      this.#written = text;
      if (this.#failing)
        this.#report({ severity: 'Normal', reason: 'FileWritten', server: null, message: 'the configuration is on disk again' });
      this.#failing = false;
      return true;
    } catch (thrown) {
      if (!this.#failing) this.#report({ severity: 'Warning', reason: 'FileNotWritten', server: null, message: messageOf(thrown) });
      this.#failing = true;
      return false;
    }
  }

  /** `haproxy -c` costs 60 ms, and server lines are of a grammar that cannot fail: only a new structure is checked. */
  async #check(structure: Structure, text: string): Promise<void> {
    const hash = structureHash(structure);
    if (hash === this.#checked || this.#binary === null) return;
    const candidate = `${this.#path}.candidate`;
    await replaceFile(candidate, text);
    try {
      await checkConfig(this.#binary, candidate);
    } catch (thrown) {
      if (thrown instanceof CccamError && !thrown.retryable) this.#refused = hash;
      throw thrown;
    }
    this.#checked = hash;
  }
}
