import type { PoolStatus } from '../api/v1alpha1/index.ts';
import type { ProxyEvent } from '../haproxy/event.ts';
import { type Transition, transitions } from '../pool/transitions.ts';
import { printable } from '../runtime/printable.ts';
import type { RunEvent } from './output.ts';
import type { FileIssue } from './pool-file.ts';

/** Every reason of a event line that is about the pool or its file; those about the proxy are in `haproxy/event.ts`. */
export const RUN_EVENT_REASONS = {
  PoolAccepted: 'the changed file is valid and active',
  PoolRefused: 'the changed file is invalid; the last valid pool stays active',
  PoolUnreadable: 'the file cannot be read; the last valid pool stays active',
  PoolWarning: 'the pool is active, but something in it is probably not what was meant',
  LastValidPoolActive: 'the file is invalid or gone at the start; the last valid pool is active',
  Attention: 'something needs attention: the line says what, and what to do',
  AttentionResolved: 'nothing needs attention now',
  StateSetAside: 'saved state could not be read, and was moved aside',
  WorkerUser: 'HAProxy runs with more rights than it needs',
  Listening: 'observations and metrics can be read there',
  NotListening: 'the port for observations and metrics is taken; the pool is served without them, and it is tried again',
  Stopping: 'the program is stopping; sessions may continue for a while',
  Stopped: 'the program has stopped; how many sessions were cut off',
  ServerState: 'the state of a server has changed',
} as const;

/** The reason of an event about the pool or its file. */
export type RunEventReason = keyof typeof RUN_EVENT_REASONS;

/** An event of the proxy as a event line. */
export function proxyRunEvent(event: ProxyEvent): RunEvent {
  return { severity: event.severity, reason: event.reason, subject: event.server ?? 'haproxy', message: printable(event.message, 500) };
}

/** The complaints about a file as event lines. */
export function issueEvents(file: string, reason: RunEventReason, issues: readonly FileIssue[]): RunEvent[] {
  return issues.map((issue) => ({
    severity: 'Warning',
    reason,
    subject: `${printable(file)}${issue.line === null ? '' : `:${issue.line}`} ${issue.field}`,
    message: issue.message,
  }));
}

/** What has changed in a status as event lines: a server each, and what its owner should mind. */
export function statusRunEvents(previous: PoolStatus | null, next: PoolStatus, pool: string): RunEvent[] {
  return [...transitions(previous, next).map(serverEvent), ...attentionEvents(previous, next, pool)];
}

function serverEvent(transition: Transition): RunEvent {
  return {
    severity: transition.to !== null && BAD.includes(transition.to) ? 'Warning' : 'Normal',
    reason: 'ServerState' satisfies RunEventReason,
    subject: transition.server,
    message: describe(transition),
  };
}

function attentionEvents(previous: PoolStatus | null, next: PoolStatus, pool: string): RunEvent[] {
  const [before, now] = [previous, next].map((status) => status?.conditions.find(({ type }) => type === 'Attention'));
  if (now === undefined || before?.reason === now.reason || (before === undefined && now.status === 'False')) return [];
  const reason: RunEventReason = now.status === 'True' ? 'Attention' : 'AttentionResolved';
  return [{ severity: now.status === 'True' ? 'Warning' : 'Normal', reason, subject: `${pool} ${now.reason}`, message: now.message }];
}

const BAD: readonly string[] = ['Down', 'Full', 'RefusesProxy', 'Unreachable', 'Hung'];

function describe({ from, message, sessions, sessionsBefore, to }: Transition): string {
  const before = sessions === sessionsBefore ? '' : ` (${sessionsBefore} before)`;
  if (to === null) return `gone (was ${from ?? 'unknown'}${sessionsBefore === 0 ? '' : `, with ${sessionsBefore} sessions`})`;
  const change = from === null ? to : `${from} -> ${to}`;
  return `${change}, ${sessions} ${sessions === 1 ? 'session' : 'sessions'}${before}${message === undefined ? '' : `. ${message}`}`;
}
