import type { KubeClient } from '../kube/client.ts';
import { Reflector, type ReflectorReport } from '../kube/reflector.ts';
import { type KubeObject, objectKey, type ResourceType } from '../kube/resource.ts';
import { type Change, Store, type Stored } from '../kube/store.ts';
import type { Clock } from '../runtime/clock.ts';

/** What reflectors work with. */
export interface ReflectorsOptions {
  readonly client: KubeClient;
  /** Namespaces to watch; an empty list means all of them. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: (kind: string, report: WatchReport) => void;
}

/** What a watch tells about itself; `unreadable`: an object could not be read, and is kept by its name alone. */
export type WatchReport = ReflectorReport | { readonly kind: 'unreadable'; readonly key: string; readonly error: unknown };

/** One collection that is watched, and what is kept of it. */
export interface Watched<T extends Stored> {
  readonly type: ResourceType;
  readonly selectors?: { readonly labelSelector?: string };
  /** Reduces an object to what is needed of it. */
  readonly project: (object: KubeObject) => T;
  /** What is kept of an object that cannot be read. One object must not keep the others from being followed. */
  readonly unreadable: (object: KubeObject) => T;
  readonly indexOf: (object: T) => string;
  readonly onChange: (change: Change<T>) => void;
}

interface Following {
  readonly kind: string;
  readonly namespace: string;
  /** Whether it follows already, and does not wait for another one. */
  begun: boolean;
  /** A reflector of any kind of object. */
  readonly reflector: Pick<Reflector<Stored>, 'synced' | 'refused' | 'silentMs' | 'stalledMs' | 'stuckMs' | 'run'>;
}

/** Every namespace, as the API server's paths say it. */
const ALL = '';
/** Objects of one kind that cannot be read and were reported, as far as is remembered. */
const MOST_TOLD = 1_000;
/** How often it is looked whether a cache is warm, at the start. */
const SYNC_LOOK_MS = 10;

/** The reflectors of several kinds, in one namespace, in some or in all of them. */
export class Reflectors {
  readonly #options: ReflectorsOptions;
  /** The first one of each namespace is that of the kind that was added first. */
  readonly #all: Following[] = [];

  constructor(options: ReflectorsOptions) {
    this.#options = options;
  }

  /** Follows one more kind. Of the kind that is added first everything is known before another one is listed. @returns what is known of it */
  add<T extends Stored>({ indexOf, onChange, project: read, selectors = {}, type, unreadable }: Watched<T>): Store<T> {
    const { client, clock, random, report } = this.#options;
    const told = new Set<string>();
    const project = (object: KubeObject): T => {
      const key = objectKey(object.metadata.namespace ?? '', object.metadata.name);
      try {
        const found = read(object);
        told.delete(key);
        return found;
      } catch (thrown) {
        // Once, until it can be read: its owner may change it hundreds of times a second.
        if (!told.has(key)) report(type.kind, { kind: 'unreadable', key, error: thrown });
        told.add(key);
        const [oldest] = told;
        if (told.size > MOST_TOLD && oldest !== undefined) told.delete(oldest);
        return unreadable(object);
      }
    };
    const store = new Store<T>(project, indexOf, onChange);
    for (const namespace of this.#scopes) {
      const tell = (said: ReflectorReport): void => report(type.kind, said);
      const reflector = new Reflector<T>({ client, type, namespace, selectors, store, project, clock, random, report: tell });
      this.#all.push({ kind: type.kind, namespace, begun: false, reflector });
    }
    return store;
  }

  /**
   * Whether everything is known of every namespace that may be looked at. One that is refused, because it or its role was deleted, does
   * not keep the operator from the others; but of all it must not be refused.
   */
  get synced(): boolean {
    return this.#scopes.some((each) => this.#isWhole(each)) && this.#scopes.every((each) => this.#isWhole(each) || this.#isRefused(each));
  }

  /** Whether everything is known of this namespace. */
  knows(namespace: string): boolean {
    return this.#isWhole(this.#options.namespaces.length === 0 ? ALL : namespace);
  }

  /** Milliseconds since each watch was last heard, by kind. */
  get ages(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { kind, reflector } of this.#all) ages.set(kind, Math.max(reflector.silentMs, ages.get(kind) ?? 0));
    return ages;
  }

  /** Kinds whose watch has done nothing at all for so long. */
  stalled(ms: number): readonly string[] {
    return this.#all.filter(({ begun, reflector }) => begun && reflector.stalledMs > ms).map(({ kind }) => kind);
  }

  /** Kinds whose watch has been answered for so long with what it cannot take in. */
  stuck(ms: number): readonly string[] {
    return this.#all.filter(({ reflector }) => reflector.stuckMs > ms).map(({ kind }) => kind);
  }

  /** Resolves when it is `synced`, or the signal is aborted. */
  async waitForSync(signal: AbortSignal): Promise<void> {
    while (!this.synced && !signal.aborted) await this.#options.clock.sleep(SYNC_LOOK_MS, signal);
  }

  /** Follows the API server until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map((each) => this.#follow(each, signal)));
  }

  async #follow(following: Following, signal: AbortSignal): Promise<void> {
    const { namespace, reflector } = following;
    const first = this.#of(namespace)[0] ?? reflector;
    while (first !== reflector && !first.synced && !first.refused && !signal.aborted) await this.#options.clock.sleep(SYNC_LOOK_MS, signal);
    following.begun = true;
    await reflector.run(signal);
  }

  /** Namespaces that are watched one by one, or all at once. */
  get #scopes(): readonly string[] {
    const { namespaces } = this.#options;
    return namespaces.length === 0 ? [ALL] : namespaces;
  }

  #isWhole(namespace: string): boolean {
    return this.#of(namespace).every((reflector) => reflector.synced);
  }

  #isRefused(namespace: string): boolean {
    return this.#of(namespace).some((reflector) => reflector.refused);
  }

  #of(namespace: string): Following['reflector'][] {
    return this.#all.filter((each) => each.namespace === namespace).map(({ reflector }) => reflector);
  }
}
