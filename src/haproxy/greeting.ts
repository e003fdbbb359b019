import { connect } from 'node:net';
import { systemClock, TimeLimit } from '../runtime/clock.ts';
import { systemCode } from '../runtime/errors.ts';
import { GREETING_BYTES } from './model.ts';

/**
 * What came of one connection of ours to a server. Fixed words: bytes of a peer never get into a status, a log or an event.
 *
 * - `greeted`: it sent its greeting (or its port is open, where that is enough).
 * - `refused`: nothing listens there.
 * - `closed`: it accepted and closed without a greeting, as full servers and servers that ban us do.
 * - `silent`: it accepted and sent nothing in time.
 * - `unreachable`: no answer to the connection at all.
 * - `local`: this machine could not even try (no free port, no file, no route, no permission): says nothing about the server.
 */
export type ProbeOutcome =
  | { readonly kind: 'greeted' | 'refused' | 'closed' | 'silent' | 'unreachable' }
  | { readonly kind: 'local' /** Name of the system error, such as `EADDRNOTAVAIL`. */; readonly code: string };

/** A server to be probed. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** `connect`: an open port is enough. */
  readonly probe: 'greeting' | 'connect';
  /** Limit for the connection and the greeting together. */
  readonly timeoutMs: number;
}

/** Probes one server once; `probeServer`, or a stand-in of a test. */
export type Probe = (target: ProbeTarget, signal?: AbortSignal) => Promise<ProbeOutcome>;

/** Errors of connect() that come from the network or the far end. Every other one is this machine's own (connect(2), ip(7)). */
const FAR_ERRORS: ReadonlyMap<string, 'refused' | 'closed' | 'unreachable'> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ECONNRESET', 'closed'],
  ['ETIMEDOUT', 'unreachable'],
  ['EHOSTUNREACH', 'unreachable'],
  ['EHOSTDOWN', 'unreachable'],
]);

/**
 * Connects, waits for the greeting and leaves without sending a byte. Servers log such a visit as an anonymous client; one that limits
 * connections per address counts it like any other.
 */
export async function probeServer(target: ProbeTarget, signal?: AbortSignal): Promise<ProbeOutcome> {
  using limit = new TimeLimit(systemClock, target.timeoutMs);
  const socket = connect({ host: target.address, port: target.port, signal: limit.signal });
  const leave = (): void => {
    socket.destroy();
  };
  signal?.addEventListener('abort', leave, { once: true });
  try {
    return await new Promise<ProbeOutcome>((resolve) => {
      let bytes = 0;
      let connected = false;
      const failed = (thrown?: unknown): void => resolve(failure(connected, limit.passed, systemCode(thrown)));
      socket.once('connect', () => {
        connected = true;
        if (target.probe === 'connect') resolve({ kind: 'greeted' });
      });
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes >= GREETING_BYTES) resolve({ kind: 'greeted' });
      });
      socket.once('end', () => resolve({ kind: 'closed' }));
      socket.once('error', failed);
      socket.once('close', () => failed());
    });
  } finally {
    signal?.removeEventListener('abort', leave);
    socket.destroy();
  }
}

function failure(connected: boolean, late: boolean, code: string | undefined): ProbeOutcome {
  if (late) return { kind: connected ? 'silent' : 'unreachable' };
  if (connected) return { kind: 'closed' };
  const far = FAR_ERRORS.get(code ?? '');
  return far === undefined ? { kind: 'local', code: code ?? 'unknown' } : { kind: far };
}
