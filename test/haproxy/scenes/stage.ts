import { systemClock } from '../../../src/runtime/clock.ts';
import type { SimulatedClient } from '../../../src/simulate/client.ts';
import type { SimulatedServer } from '../../../src/simulate/server.ts';
import { until } from '../../support/until.ts';
import { TestBox } from '../box.ts';
import type { StartOptions } from '../run-arguments.ts';
import { cutOff } from './cut-off.ts';
import { PlainHaproxy } from './plain-haproxy.ts';

export type Contender = 'ours' | 'plain';

/** What an accident has cost. */
export interface Damage {
  /** Sessions that ended though their client wanted them. */
  readonly lost: number;
  /** Clients without an answer at the end: those that are waiting, and those that hold a session that is dead. */
  readonly unserved: number;
  readonly clients: number;
  /** Why servers were spoken of, and what else was told; empty for the plain file. */
  readonly told: readonly string[];
  /** All of it, to be read where something is wrong. */
  readonly news: readonly string[];
}

/** A client that had no answer for so long is without service. */
const DARK_MS = 3_500;

/** Servers, clients and one of the two contenders. */
export class Stage {
  readonly contender: Contender;
  readonly box: TestBox;
  readonly plain: PlainHaproxy;
  #clients: SimulatedClient[] = [];
  #spec: Record<string, unknown> = {};
  #reloads = 0;
  readonly #losses: string[] = [];
  readonly #habits = {
    retryMs: 500,
    patienceMs: 5_000,
    requestEveryMs: 1_000,
    onLost: (label: string): void => {
      this.#losses.push(`${systemClock.monotonic()} lost a session on ${label}`);
    },
  };

  private constructor(contender: Contender, box: TestBox, plain: PlainHaproxy) {
    this.contender = contender;
    this.box = box;
    this.plain = plain;
  }

  static async set(contender: Contender, haproxy: { readonly path: string; readonly version: string }, servers: number): Promise<Stage> {
    const box = await TestBox.create(haproxy, servers, 12_345);
    return new Stage(contender, box, new PlainHaproxy(haproxy.path, box.folder, box.port));
  }

  get servers(): readonly SimulatedServer[] {
    return this.box.servers;
  }

  get clients(): readonly SimulatedClient[] {
    return this.#clients;
  }

  /**
   * Starts the contender, with every server that there is.
   *
   * @param spec of ours @param options of each server line of the plain file
   */
  async start(
    spec: Record<string, unknown> = {},
    options: (server: SimulatedServer) => string = () => '',
    start: StartOptions = {},
  ): Promise<void> {
    this.#spec = { backends: this.box.backends(), ...spec };
    await this.plain.write(this.servers, options);
    if (this.contender === 'ours') {
      await this.box.save(this.#spec);
      await this.box.start(true, start);
      return;
    }
    this.plain.start();
    await this.plain.untilListening();
  }

  /** Starts the contender on an address that may not be there yet. */
  async startOn(address: string): Promise<void> {
    if (this.contender === 'ours') {
      await this.box.save({ backends: this.box.backends() });
      await this.box.start(false, { args: ['--bind', address] });
      return;
    }
    this.plain.bind = address;
    await this.plain.write(this.servers);
    this.plain.start();
  }

  /** Clients come to another address than usual. */
  comeTo(host: string, count: number): void {
    this.#clients.push(...this.box.clients(count, { ...this.#habits, host }));
  }

  /** Clients come, and hold their sessions. */
  async hold(count: number, options: { readonly retryMs?: number; readonly from?: number } = {}): Promise<void> {
    this.come(count, options);
    await until(
      `${count} clients are served`,
      () => this.#clients.every((client) => client.servedBy !== null),
      20_000,
      () => [this.told, this.box.status],
    );
  }

  /** Clients come, whether there is room for them or not. */
  come(count: number, options: { readonly retryMs?: number; readonly from?: number } = {}): void {
    this.#clients.push(...this.box.clients(count, { ...this.#habits, ...options }));
  }

  /** Something of the structure changes, so that new sessions come to another worker. */
  async reload(): Promise<void> {
    this.#reloads += 1;
    if (this.contender === 'plain') {
      this.plain.reload();
      await this.pass(1_000);
      return;
    }
    const before = this.box.events('Reloaded').length;
    await this.edit({ timeouts: { idle: `${20 + this.#reloads}m` } });
    await until('it was reloaded', () => this.box.events('Reloaded').length > before, 30_000);
  }

  /** Changes the pool of ours. */
  async edit(change: Record<string, unknown>): Promise<void> {
    this.#spec = { ...this.#spec, ...change };
    if (this.contender === 'ours') await this.box.save(this.#spec);
  }

  /** Packets from and to these servers are lost, or what else is to become of some of them. @returns what ends that */
  async cut(servers: readonly SimulatedServer[] = this.servers, what?: readonly string[]): Promise<() => Promise<void>> {
    return await cutOff(
      servers.map(({ host }) => host),
      what,
    );
  }

  async pass(ms: number): Promise<void> {
    await systemClock.sleep(ms);
  }

  /** Waits until everybody is answered, for so long at most; who has lost the answers just now shows only after a while. */
  async calm(limitMs: number): Promise<void> {
    await this.pass(DARK_MS);
    const limit = systemClock.monotonic() + limitMs;
    while (this.#unserved > 0 && systemClock.monotonic() < limit) await this.pass(100);
  }

  get told(): readonly string[] {
    const states = this.box.events('ServerState').flatMap(({ message }) => /-> (\w+)/.exec(message)?.[1] ?? []);
    return [...new Set([...states, ...this.box.news.map(({ reason }) => reason)])];
  }

  get damage(): Damage {
    return {
      lost: this.#clients.reduce((sum, { lost }) => sum + lost, 0),
      unserved: this.#unserved,
      clients: this.#clients.length,
      told: this.told,
      news: [...this.box.news.map(({ at, message, reason, subject }) => `${at} ${reason} ${subject}: ${message}`), ...this.#losses],
    };
  }

  async end(): Promise<void> {
    this.plain.end();
    await this.box.dispose();
  }

  get #unserved(): number {
    const now = systemClock.monotonic();
    return this.#clients.filter(({ answeredAt }) => answeredAt === null || now - answeredAt > DARK_MS).length;
  }
}
