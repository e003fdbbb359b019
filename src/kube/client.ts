import { isStatus, KubeApiError } from './api-error.ts';
import { collectionPath, type KubeObject, type ObjectRef, objectPath, type ResourceType } from './resource.ts';
import { MAX_OBJECT_BYTES, TOO_LARGE, type Transport } from './transport.ts';

/** Which objects of a collection. */
export type Selectors = { readonly labelSelector?: string; readonly fieldSelector?: string };

/** Objects of one type in one namespace, or in all of them for `''`. */
export interface Collection {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly selectors: Selectors;
}

/** How an object is applied. */
export interface ApplyOptions {
  /** Name under which the fields stand. */
  readonly manager: string;
  /** Takes fields from other managers; without it their conflict is a 409. */
  readonly force: boolean;
  readonly subresource?: 'status';
}

interface Patch {
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly contentType: string;
}

/** Media type of a server-side apply; the body is JSON all the same, which is YAML too. */
const APPLY_PATCH = 'application/apply-patch+yaml';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
/** Large enough for few calls, small enough that the text of a page is soon forgotten. */
const PAGE = 100;
/** Largest page: a user who may write objects chooses how large they are, and a page is parsed as a whole. */
const PAGE_BYTES = 2 * 1_048_576;
/** Some 10 MB once they are parsed; a hundred pods have half as many. */
const PAGE_VALUES = 100_000;
/** Listing is the slowest call there is; the API server’s own promise is thirty seconds. */
const LIST_TIMEOUT_MS = 30_000;

/** What may be done before a write is sent; throws to keep it from being sent, as a leader that has lost its lease must. */
export type WriteGuard = () => void;

/** The verbs of the Kubernetes API. Knows no kind of object. */
export class KubeClient {
  readonly transport: Transport;
  readonly #guard: WriteGuard;

  /** @param guard called right before each write */
  constructor(transport: Transport, guard: WriteGuard = () => undefined) {
    this.transport = transport;
    this.#guard = guard;
  }

  /** A client over the same connections whose writes need leave. */
  guarded(guard: WriteGuard): KubeClient {
    return new KubeClient(this.transport, guard);
  }

  /** Reads one object as it is now; null when there is none. @throws KubeApiError */
  async get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | null> {
    try {
      return (await this.transport.request({ method: 'GET', path: objectPath(ref), signal })) as KubeObject;
    } catch (thrown) {
      if (isStatus(thrown, 404)) return null;
      throw thrown;
    }
  }

  /**
   * Lists a collection page by page. A page that is too large is read again as two. A list that takes so long that the server forgets where
   * it was begins again, once.
   *
   * @param read reduces each object, so that a large collection is never held as a whole
   * @returns what was read, and the version that a watch goes on from
   * @throws KubeApiError
   */
  async list<T>(collection: Collection, read: (object: KubeObject) => T, signal: AbortSignal): Promise<Listing<T>> {
    try {
      return await this.#listOnce(collection, read, signal);
    } catch (thrown) {
      if (!isStatus(thrown, 410)) throw thrown;
      return await this.#listOnce(collection, read, signal);
    }
  }

  /** The version that a collection has now, read with one object of it at most. @throws KubeApiError */
  async version({ namespace, selectors, type }: Collection, signal: AbortSignal): Promise<string> {
    const query = { ...selectors, limit: '1' };
    const call = { method: 'GET', path: collectionPath(type, namespace), query, signal, shape: 'list' } as const;
    const page = (await this.transport.request(call)) as Page;
    return page.metadata.resourceVersion;
  }

  /**
   * Server-side apply: makes the object hold these fields, makes it if it is not there, and takes away the fields that this manager
   * set before and no longer does.
   *
   * @param object with `metadata.uid` it is only applied to that very object
   * @returns the object as it is now
   * @throws KubeApiError
   */
  async apply(ref: ObjectRef, object: KubeObject, { force, manager, subresource }: ApplyOptions, signal: AbortSignal): Promise<KubeObject> {
    const query = { fieldManager: manager, ...(force ? { force: 'true' } : {}) };
    return await this.#patch(objectPath(ref, subresource), { query, body: object, contentType: APPLY_PATCH }, signal);
  }

  /** Merges fields into an object; null takes one away. @throws KubeApiError */
  async merge(ref: ObjectRef, patch: unknown, manager: string, signal: AbortSignal): Promise<KubeObject> {
    return await this.#patch(objectPath(ref), { query: { fieldManager: manager }, body: patch, contentType: MERGE_PATCH }, signal);
  }

  /** Merges fields into an object of a kind that Kubernetes itself brings, where lists go by the names in them. @throws KubeApiError */
  async mergeByName(ref: ObjectRef, patch: unknown, manager: string, signal: AbortSignal): Promise<KubeObject> {
    return await this.#patch(objectPath(ref), { query: { fieldManager: manager }, body: patch, contentType: STRATEGIC_PATCH }, signal);
  }

  /** Makes an object. @throws KubeApiError 409 when there is one of that name */
  async create(ref: ObjectRef, object: KubeObject, manager: string, signal: AbortSignal): Promise<KubeObject> {
    const path = collectionPath(ref.type, ref.namespace);
    return (await this.transport.request({
      guard: this.#guard,
      method: 'POST',
      path,
      query: { fieldManager: manager },
      body: object,
      signal,
    })) as KubeObject;
  }

  /** Writes an object as a whole; its `resourceVersion` makes it fail when another writer was faster. @throws KubeApiError 409 then */
  async replace(ref: ObjectRef, object: KubeObject, manager: string, signal: AbortSignal): Promise<KubeObject> {
    return (await this.transport.request({
      guard: this.#guard,
      method: 'PUT',
      path: objectPath(ref),
      query: { fieldManager: manager },
      body: object,
      signal,
    })) as KubeObject;
  }

  /**
   * Deletes that very object, and what it owns after it. One that is gone already is fine.
   *
   * @param uid an object of the same name that was made since is left alone
   * @throws KubeApiError
   */
  async delete(ref: ObjectRef, uid: string, signal: AbortSignal): Promise<void> {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid }, propagationPolicy: 'Background' };
    try {
      await this.transport.request({ guard: this.#guard, method: 'DELETE', path: objectPath(ref), body, signal });
    } catch (thrown) {
      if (!isStatus(thrown, 404)) throw thrown;
    }
  }

  async #patch(path: string, patch: Patch, signal: AbortSignal): Promise<KubeObject> {
    return (await this.transport.request({ guard: this.#guard, method: 'PATCH', path, ...patch, signal })) as KubeObject;
  }

  async #listOnce<T>(
    { namespace, selectors, type }: Collection,
    read: (object: KubeObject) => T,
    signal: AbortSignal,
  ): Promise<Listing<T>> {
    const items: T[] = [];
    const path = collectionPath(type, namespace);
    let page: { limit: number; from?: string } = { limit: PAGE };
    for (;;) {
      const answer = await this.#page(path, selectors, page, signal);
      if (answer === 'too large') {
        page = { ...page, limit: Math.ceil(page.limit / 2) };
        continue;
      }
      for (const item of answer.items ?? []) items.push(read({ ...item, apiVersion: type.apiVersion, kind: type.kind }));
      const { continue: next, resourceVersion } = answer.metadata;
      if (next === undefined || next === '') return { items, resourceVersion };
      page = { limit: Math.min(PAGE, 2 * page.limit), from: next }; // one large object must not make all that follow slow
    }
  }

  /** One page; a single object may be as large as it likes. */
  async #page(
    path: string,
    selectors: Selectors,
    { from, limit }: { readonly limit: number; readonly from?: string },
    signal: AbortSignal,
  ): Promise<Page | 'too large'> {
    const query = { ...selectors, limit: String(limit), ...(from === undefined ? {} : { continue: from }) };
    const most = limit === 1 ? { maxBytes: MAX_OBJECT_BYTES } : { maxBytes: PAGE_BYTES, maxValues: PAGE_VALUES };
    const call = { method: 'GET', path, query, signal, timeoutMs: LIST_TIMEOUT_MS, shape: 'list', ...most } as const;
    try {
      return (await this.transport.request(call)) as Page;
    } catch (thrown) {
      if (limit > 1 && thrown instanceof KubeApiError && thrown.reason === TOO_LARGE) return 'too large';
      throw thrown;
    }
  }
}

/** A collection as it was at one version. */
export interface Listing<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items?: readonly KubeObject[] | null;
}
