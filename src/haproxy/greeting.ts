import { connect } from 'node:net';
import { TimeLimit } from '../runtime/clock.ts';
import { GREETING_BYTES } from './model.ts';

/** What a server did when we knocked. Reasons are fixed words: bytes of a peer never get into a status, a log or an event. */
export type ProbeOutcome = { readonly kind: 'greeted' } | { readonly kind: 'refused' | 'silent' | 'closed' | 'unreachable' };

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** `connect`: an open port is enough. */
  readonly probe: 'greeting' | 'connect';
  readonly timeoutMs: number;
}

/**
 * Knocks at a server: connects, waits for its greeting and leaves, without sending a byte. Servers log such a visit as an anonymous
 * client and do not ban for it. HAProxy's own first check comes only after a whole interval, so we ask ourselves.
 */
export async function probeServer(target: ProbeTarget, signal?: AbortSignal): Promise<ProbeOutcome> {
  using limit = new TimeLimit(target.timeoutMs);
  const socket = connect({ host: target.address, port: target.port, signal: limit.signal });
  const leave = (): void => {
    socket.destroy();
  };
  signal?.addEventListener('abort', leave, { once: true });
  try {
    return await new Promise<ProbeOutcome>((resolve) => {
      let bytes = 0;
      let connected = false;
      socket.once('connect', () => {
        connected = true;
        if (target.probe === 'connect') resolve({ kind: 'greeted' });
      });
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes >= GREETING_BYTES) resolve({ kind: 'greeted' });
      });
      socket.once('end', () => resolve({ kind: 'closed' }));
      socket.once('error', () => resolve({ kind: failure(connected, limit.passed) }));
      socket.once('close', () => resolve({ kind: failure(connected, limit.passed) }));
    });
  } finally {
    signal?.removeEventListener('abort', leave);
    socket.destroy();
  }
}

function failure(connected: boolean, late: boolean): 'refused' | 'silent' | 'closed' | 'unreachable' {
  if (late) return connected ? 'silent' : 'unreachable';
  return connected ? 'closed' : 'refused';
}
