import { backoffMs } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { CccamError } from '../runtime/errors.ts';
import { isStatus, KubeApiError } from './api-error.ts';
import type { KubeClient, Selectors } from './client.ts';
import type { KubeObject, ResourceType } from './resource.ts';
import { collectionPath } from './resource.ts';
import { isOlder, type Store, type Stored } from './store.ts';
import { SILENT, TOO_LARGE } from './transport.ts';
import { watchStream } from './watch-stream.ts';

/** What a reflector tells about itself, for logs and metrics. */
export type ReflectorReport =
  | { readonly kind: 'listed'; readonly count: number /** Objects that the watch before had missed. */; readonly missed: number }
  | { readonly kind: 'watching' }
  /** Nothing came for long: either nothing happens or the connection is dead, and it is made again. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'failed'; readonly error: unknown; readonly retryInMs: number };

/** What is followed, and where it is kept. */
export interface ReflectorOptions<T extends Stored> {
  readonly client: KubeClient;
  readonly type: ResourceType;
  /** '' for all of them. */
  readonly namespace: string;
  readonly selectors: Selectors;
  readonly store: Store<T>;
  readonly project: (object: KubeObject) => T;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: (report: ReflectorReport) => void;
  readonly idleMs?: number;
}

const BACKOFF = { firstMs: 200, capMs: 30_000, jitter: 0.3 } as const;
/** Calls to a server that is down cost nothing, and its return should be noticed soon. */
const REFUSED_CAP_MS = 3_000;
/** A refusal by role or a kind that is not there yet does not heal by asking often. */
const FORBIDDEN_RETRY_MS = { 403: 15_000, 404: 5_000 } as const;
/** But an API server that has just been started refuses everybody for a moment, until it has read the roles. */
const QUICK_TRIES = 4;
/** A watch that lasted this long, or has told something new, has worked: its end is not a failure. */
const LIVED_MS = 1_000;
/** Silence after which a connection counts as dead. A quiet kind may be silent for a minute, and coming back to where it was costs little. */
const IDLE_MS = 40_000;
/** Reason of a watch that ended cleanly, but at once. */
const ENDED_AT_ONCE = 'EndedAtOnce';
/** Every list again now and then: a watch that silently misses events has been seen in every client of the field. */
const RELIST_MS = { min: 600_000, max: 1_800_000 } as const;

/**
 * Keeps a store equal to the API server: lists, then watches from there, resumes where it was cut off, and lists again only when the
 * server has forgotten that point. Never gives up; the signal ends it.
 */
export class Reflector<T extends Stored> {
  readonly #options: ReflectorOptions<T>;
  #resourceVersion: string | null = null;
  /** Whether the connection was cut or refused: the server may have been restarted since, with an older memory. */
  #wasCut = false;
  /** Failures in a row, all of the same kind: an outage must not make the first 410 after it wait for half a minute. */
  #failures = 0;
  #lastFailure = '';
  /** Whether the last failure was a refusal that does not heal by asking often. */
  #isRefusal = false;
  #started = false;
  #lastEventAt: number;
  #lastActivityAt: number;
  #relistAt = 0;
  #synced = false;
  /** Since when what the server sends cannot be taken in, on the monotonic clock; null while it can. */
  #stuckSince: number | null = null;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#lastEventAt = options.clock.monotonic();
    this.#lastActivityAt = this.#lastEventAt;
  }

  /** Whether the store has held the whole list once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Whether it has never held the list, because the server keeps refusing it: a role or a namespace that is not there. */
  get refused(): boolean {
    return !this.#synced && this.#failures > QUICK_TRIES && this.#isRefusal;
  }

  /** Milliseconds since the server was last heard. */
  get silentMs(): number {
    return this.#options.clock.monotonic() - this.#lastEventAt;
  }

  /** Milliseconds since it was last seen to do anything, failing included. */
  get stalledMs(): number {
    return this.#options.clock.monotonic() - Math.max(this.#lastEventAt, this.#lastActivityAt);
  }

  /** Milliseconds for which the server has answered and nothing of it could be taken in; 0 while it can, and while it does not answer. */
  get stuckMs(): number {
    return this.#stuckSince === null ? 0 : this.#options.clock.monotonic() - this.#stuckSince;
  }

  /**
   * Follows the API server until the signal is aborted.
   *
   * @throws Error when it was run before: two loops would fight over one store
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#started) throw new Error('a reflector runs once');
    this.#started = true;
    this.#lastActivityAt = this.#options.clock.monotonic();
    while (!signal.aborted) {
      try {
        const isDue = this.#options.clock.monotonic() >= this.#relistAt; // a quiet watch always ends by silence
        if (this.#wasCut) await this.#compareVersions(signal);
        if (this.#resourceVersion === null || isDue) await this.#list(signal);
        await this.#watch(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        await this.#failed(thrown, signal);
      }
    }
  }

  /**
   * An API server whose etcd was restored from a backup counts back. A watch from a version that is yet to come is not refused there:
   * it stays silent until the count is back where it was, and what happens meanwhile is never told.
   */
  async #compareVersions(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, selectors } = this.#options;
    if (this.#resourceVersion !== null) {
      const now = await client.version({ type, namespace, selectors }, signal);
      if (isOlder(now, this.#resourceVersion)) this.#resourceVersion = null;
    }
    this.#wasCut = false;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, selectors, project, store, report, clock, random } = this.#options;
    const { items, resourceVersion } = await client.list({ type, namespace, selectors }, project, signal);
    const missed = store.replace(items, resourceVersion, namespace);
    this.#resourceVersion = resourceVersion;
    this.#lastEventAt = clock.monotonic();
    this.#relistAt = clock.monotonic() + RELIST_MS.min + random() * (RELIST_MS.max - RELIST_MS.min);
    report({ kind: 'listed', count: store.size, missed: this.#synced ? missed : 0 });
    this.#synced = true;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, selectors, store, clock, random, report, idleMs } = this.#options;
    const [begun, from] = [clock.monotonic(), this.#resourceVersion ?? ''];
    const request = {
      path: collectionPath(type, namespace),
      selectors,
      resourceVersion: from,
      timeoutSeconds: 240 + Math.floor(random() * 240), // at random, so that many watches do not end at once
      idleMs: idleMs ?? IDLE_MS,
    };
    report({ kind: 'watching' });
    try {
      for await (const event of watchStream(client.transport, request, signal)) {
        this.#lastEventAt = clock.monotonic();
        if (event.kind === 'bookmark') {
          this.#resourceVersion = event.resourceVersion;
        } else {
          store.apply(event.kind, event.object);
          this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
        }
        this.#stuckSince = null;
        if (clock.monotonic() >= this.#relistAt) break;
      }
    } finally {
      const told = isOlder(from, this.#resourceVersion ?? '');
      if (told || clock.monotonic() - begun >= LIVED_MS) [this.#failures, this.#stuckSince] = [0, null];
    }
    if (clock.monotonic() >= this.#relistAt) this.#resourceVersion = null;
    // A clean end at once, over and over, must not become a hot loop.
    if (clock.monotonic() - begun < LIVED_MS)
      throw new KubeApiError(`WATCH ${request.path}`, { status: null, reason: ENDED_AT_ONCE, message: 'the watch ended at once' });
  }

  async #failed(thrown: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random, report } = this.#options;
    if (isStatus(thrown, 410) || isGarbled(thrown)) this.#resourceVersion = null;
    if (isCut(thrown)) this.#wasCut = true;
    if (isIndigestible(thrown)) this.#stuckSince ??= clock.monotonic();
    const kind = thrown instanceof KubeApiError ? thrown.reason : 'unknown';
    this.#failures = kind === this.#lastFailure ? this.#failures + 1 : 1;
    this.#lastFailure = kind;
    this.#lastActivityAt = clock.monotonic();
    const usual = backoffMs(isRefused(thrown) ? { ...BACKOFF, capMs: REFUSED_CAP_MS } : BACKOFF, this.#failures, random());
    const asked = thrown instanceof KubeApiError ? (thrown.retryAfterMs ?? 0) : 0;
    const refused = isStatus(thrown, 403) ? FORBIDDEN_RETRY_MS[403] : isStatus(thrown, 404) ? FORBIDDEN_RETRY_MS[404] : 0;
    this.#isRefusal = refused > 0;
    const retryInMs = Math.max(this.#isRefusal && this.#failures > QUICK_TRIES ? refused : usual, asked);
    report(isSilence(thrown) ? { kind: 'silent' } : { kind: 'failed', error: thrown, retryInMs });
    await clock.sleep(retryInMs, signal);
  }
}

/** Whether nothing answers at all. */
function isRefused(thrown: unknown): boolean {
  return thrown instanceof KubeApiError && ['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND'].includes(thrown.reason);
}

function isSilence(thrown: unknown): boolean {
  return thrown instanceof KubeApiError && thrown.reason === SILENT;
}

/** Whether there is no connection any more, for another reason than that nothing came over it. */
function isCut(thrown: unknown): boolean {
  return thrown instanceof KubeApiError && thrown.status === null && ![SILENT, ENDED_AT_ONCE, TOO_LARGE].includes(thrown.reason);
}

/** Whether the server answered, and the answer could not be taken in: asking again gives the same. */
function isIndigestible(thrown: unknown): boolean {
  if (thrown instanceof KubeApiError) return thrown.reason === TOO_LARGE || isGarbled(thrown) || thrown.cause instanceof RangeError;
  return !(thrown instanceof CccamError); // such as a token that cannot be read: nothing was asked
}

/** Whether a line came whole and could not be read. What was in it is lost, so only a list can tell. */
function isGarbled(thrown: unknown): boolean {
  return thrown instanceof KubeApiError && thrown.cause instanceof SyntaxError;
}
