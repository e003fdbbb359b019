/**
 * Every error code of the program, with what it means to the person who meets it. `docs/reference/errors.md` lists the same codes;
 * a test compares the two, so that neither can grow without the other.
 */
export const ERROR_CODES = {
  CCP_POOL_INVALID: 'the pool breaks the schema, or contradicts itself',
  CCP_POOL_UNSUPPORTED: 'the pool uses something that this version or environment does not support',
  CCP_POOL_FILE_UNREADABLE: 'the pool file cannot be read',
  CCP_CONFIG_UNSAFE: 'a value for HAProxy is outside its grammar',
  CCP_HAPROXY_MISSING: 'no usable haproxy binary was found',
  CCP_HAPROXY_NOT_STARTED: 'HAProxy did not start',
  CCP_HAPROXY_CONFIG_REFUSED: 'haproxy -c refused the generated configuration',
  CCP_HAPROXY_RELOAD_FAILED: 'a reload failed; HAProxy keeps the old configuration',
  CCP_HAPROXY_UNREACHABLE: 'a control socket of HAProxy does not answer',
  CCP_HAPROXY_ANSWER_UNREADABLE: 'HAProxy gave an answer that this version cannot read',
  CCP_PORT_UNUSABLE: 'HAProxy cannot listen there: the port is taken, or this machine does not have the address',
  CCP_STATE_UNWRITABLE: 'the state folder cannot be written',
  CCP_STATE_UNREADABLE: 'the state folder holds something that cannot be read',
  CCP_STATE_IN_USE: 'another process uses the same state folder',
  CCP_FILE_LIMIT: 'the limit of open files is too low for the number of connections',
  CCP_CLUSTER_UNKNOWN: 'no API server is known: this is not a pod, and there is no kubeconfig',
  CCP_API_UNREACHABLE: 'the API server does not answer',
  CCP_API_REFUSED: 'the API server refused a call',
  CCP_LEASE_LOST: 'this process no longer holds the lease, and writes nothing',
  CCP_PROXY_CONFIG_UNREADABLE: 'the ConfigMap of a proxy holds something that this version cannot read',
  CCP_STREAM_LOST: 'the stream of an agent could not be opened, broke or fell silent',
  CCP_STREAM_LIMIT: 'an agent sent more than it may, and was disconnected',
  CCP_STREAM_UNREADABLE: 'an agent sent something that this version cannot read',
  CCP_INTERNAL: 'a defect of this program',
  CCP_SETTING_INVALID: 'a setting from the environment or the command line is wrong',
} as const;

/** The code of an error. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error says beside its code. */
export interface ErrorDetails {
  /** The field, file or object that the error is about, such as `spec.backends[0].port`. */
  readonly subject: string;
  /** What is wrong, and what was expected instead. */
  readonly message: string;
  /** What the reader can do about it. */
  readonly remedy: string;
  /** Whether trying the same again later can help. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** The one error class of the program: a stable code, the object it is about, what was expected and what to do. */
export class CccamError extends Error {
  readonly code: ErrorCode;
  readonly subject: string;
  readonly remedy: string;
  readonly retryable: boolean;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(`${details.subject}: ${details.message}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CccamError';
    this.code = code;
    this.subject = details.subject;
    this.remedy = details.remedy;
    this.retryable = details.retryable ?? false;
  }
}

/** The text of anything that was thrown, for logs and for the `cause` of a message. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a Node system error such as `ENOENT`, or undefined for anything else. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Marks a branch that the type checker proved unreachable. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
