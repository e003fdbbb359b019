import { messageOf } from '../runtime/errors.ts';
import { lines } from '../runtime/lines.ts';
import { Silence, SilentError } from '../runtime/silence.ts';
import { parseAnswer } from './answer.ts';
import { KubeApiError } from './api-error.ts';
import type { KubeObject } from './resource.ts';
import { MAX_OBJECT_BYTES, SILENT, type Transport } from './transport.ts';

/** One thing that a watch tells. */
export type WatchEvent =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: KubeObject }
  /** Nothing happened up to this version. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string };

/** What is watched, and from where on. */
export interface WatchRequest {
  readonly path: string;
  readonly selectors: Readonly<Record<string, string>>;
  readonly resourceVersion: string;
  /** How long the server keeps the watch open, in seconds. */
  readonly timeoutSeconds: number;
  /** Silence after which the connection counts as dead; the server sends a bookmark about once a minute. */
  readonly idleMs: number;
}

const KINDS = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

/**
 * Watches a collection on a connection of its own. Ends when the server ends the stream cleanly.
 *
 * @throws KubeApiError: status 410 when the version is too old, in whichever of its two forms; no status for everything that breaks the
 *   stream, a line that is not JSON among it: an event that cannot be read is an event that was missed
 */
export async function* watchStream(transport: Transport, request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const query = {
    ...request.selectors,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: request.resourceVersion,
    timeoutSeconds: String(request.timeoutSeconds),
  };
  const response = await transport.stream(request.path, query, signal);
  const call = `WATCH ${request.path}`;
  const over = new AbortController();
  const silence = new Silence(transport.clock, request.idleMs);
  const watching = silence.watch(response, over.signal);
  try {
    for await (const line of lines(response, MAX_OBJECT_BYTES)) {
      silence.received();
      yield readEvent(line, call);
    }
    if (!response.complete) throw new Error('the connection was cut');
  } catch (thrown) {
    if (thrown instanceof KubeApiError) throw thrown;
    const reason = thrown instanceof SilentError ? SILENT : 'StreamBroken';
    throw new KubeApiError(call, { status: null, reason, message: messageOf(thrown), cause: thrown });
  } finally {
    over.abort();
    response.destroy();
    await watching;
  }
}

function readEvent(line: string, call: string): WatchEvent {
  const event = parseAnswer(line, 'event');
  const { type, object } = event as { type?: unknown; object?: KubeObject & { code?: unknown; reason?: unknown; message?: unknown } };
  if (type === 'ERROR') {
    const status = typeof object?.code === 'number' ? object.code : 500;
    throw new KubeApiError(call, { status, reason: String(object?.reason ?? 'Unknown'), message: String(object?.message ?? '') });
  }
  const version = object?.metadata?.resourceVersion;
  if (object === undefined || version === undefined) throw new Error('an event without an object and its version');
  if (type === 'BOOKMARK') return { kind: 'bookmark', resourceVersion: version };
  const kind = typeof type === 'string' && Object.hasOwn(KINDS, type) ? KINDS[type as keyof typeof KINDS] : undefined;
  if (kind === undefined) throw new Error(`an event of an unknown type`);
  return { kind, object };
}
