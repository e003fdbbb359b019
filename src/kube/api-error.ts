import type { IncomingHttpHeaders } from 'node:http';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';

/** Answers that another try can change: the server is busy, down or does not know us yet (a token that has just been rotated). */
const RETRYABLE = new Set([401, 408, 409, 410, 425, 429, 500, 502, 503, 504]);
/** A server that asks for more is asked again after this: drains wait behind it. */
const LONGEST_RETRY_AFTER_MS = 10_000;

/** How a call failed. */
export interface ApiFailure {
  /** HTTP status, or null when there was no answer. */
  readonly status: number | null;
  /** Reason as in `metav1.Status`, such as `NotFound`, or the code of the system error, such as `ECONNRESET`. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | null;
  readonly cause?: unknown;
}

/** The API server refused a call, or could not be reached. Never carries the whole answer: that may be megabytes, or secret. */
export class KubeApiError extends CccamError {
  readonly status: ApiFailure['status'];
  readonly reason: ApiFailure['reason'];
  /** How long the server asks us to wait, in milliseconds, or null. */
  readonly retryAfterMs: number | null;

  /** @param call method and path */
  constructor(call: string, { cause, message, reason, retryAfterMs = null, status }: ApiFailure) {
    super(status === null ? 'CCP_API_UNREACHABLE' : 'CCP_API_REFUSED', {
      subject: call,
      message: status === null ? `${reason}: ${message}` : `${status} ${reason}: ${message}`,
      remedy: remedyFor(status),
      retryable: status === null || RETRYABLE.has(status),
      ...(cause === undefined ? {} : { cause }),
    });
    this.name = 'KubeApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An answer that is not a success. @param answer its body is a `metav1.Status`, or whatever a proxy in between says */
export function refusedError(
  call: string,
  { body, headers, status }: { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string },
): KubeApiError {
  const said = readStatus(body);
  return new KubeApiError(call, {
    status,
    reason: said.reason ?? `Http${status}`,
    message: said.message,
    retryAfterMs: retryAfterMs(headers['retry-after']),
  });
}

/** A call that got no answer. */
export function unreachableError(call: string, thrown: unknown): KubeApiError {
  if (thrown instanceof KubeApiError) return thrown;
  return new KubeApiError(call, {
    status: null,
    reason: systemCode(thrown) ?? 'Unreachable',
    message: printable(messageOf(thrown), 200),
    cause: thrown,
  });
}

/** Whether the error is an answer with that status. */
export function isStatus(thrown: unknown, status: number): thrown is KubeApiError {
  return thrown instanceof KubeApiError && thrown.status === status;
}

/** Reads a `metav1.Status`; anything else is quoted, shortened. */
export function readStatus(body: string): { readonly code: number | null; readonly reason: string | null; readonly message: string } {
  try {
    const status: unknown = JSON.parse(body);
    if (typeof status === 'object' && status !== null) {
      const { code, reason, message } = status as Record<string, unknown>;
      return {
        code: typeof code === 'number' ? code : null,
        reason: typeof reason === 'string' && reason !== '' ? printable(reason, 60) : null,
        message: typeof message === 'string' ? printable(message, 500) : 'no message',
      };
    }
  } catch {
    // Not JSON: some proxies and the API server itself answer 404 and 429 in plain text.
  }
  return { code: null, reason: null, message: printable(body.trim(), 200) };
}

/** `Retry-After` in milliseconds; the API server only ever sends seconds, never a date. */
function retryAfterMs(header: string | undefined): number | null {
  if (header === undefined || !/^[0-9]{1,6}$/.test(header)) return null;
  return Math.min(Number(header) * 1_000, LONGEST_RETRY_AFTER_MS);
}

function remedyFor(status: number | null): string {
  if (status === null) return 'Retrying. Check that the API server is reachable.';
  if (status === 403) return "Grant the permission to the service account; the chart's roles have every one that is needed.";
  if (status === 401) return 'Retrying with fresh credentials.';
  return 'Retrying.';
}
