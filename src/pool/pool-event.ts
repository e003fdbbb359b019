import type { Condition, PoolStatus } from '../api/v1alpha1/index.ts';
import { type Transition, transitions } from './transitions.ts';

/** Every reason of an Event about a pool, with what it means. `docs/reference/events.md` lists the same; a test compares them. */
export const POOL_EVENT_REASONS = {
  ServerUp: 'a server takes new sessions',
  ServerDown: 'a server that should serve is down',
  ServerFull: 'a server is full; its sessions continue',
  ServerRefusesProxy: 'a server closes or ignores new connections of the proxies; its sessions continue',
  ServerUnreachable: 'connections to a server are not answered; its sessions are kept',
  ServerHung: 'a server answers neither new connections nor its own sessions',
  ServerDraining: 'a server takes no new sessions; the ones it has stay',
  ServerDrained: 'a draining server has no sessions left',
  ServerGone: 'a server has left the pool',
  PoolRefused: 'the pool is invalid; the last valid spec stays active',
  PoolAccepted: 'the pool is valid and active',
  PoolReady: 'every proxy runs this generation, and an Active server is up',
  PoolNotReady: 'a proxy does not run this generation, or no Active server is up',
  PoolWarning: 'the pool is active, but something in it is probably not what was meant',
  Attention: 'something needs attention: the note says what, and what to do',
  AttentionResolved: 'nothing needs attention now',
  ChildRestored: 'an object of the pool was changed by something else, and changed back',
  NotOwned: 'an object with a name that the pool needs is owned by something else, and left alone',
  ChildRemoved: 'an object that the pool no longer needs was deleted',
  RolloutBegan: "a backend's pods are being replaced, one at a time",
  DrainAnnotationInvalid: 'a drain annotation is neither true nor a duration; the pod is drained anyway',
} as const;
/** The reason of an Event about a pool. */
export type PoolEventReason = keyof typeof POOL_EVENT_REASONS;

/** Something that happened to a pool, for people. */
export interface PoolEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: PoolEventReason;
  readonly note: string;
}

/** What has happened from one status to the next. */
export function statusEvents(previous: PoolStatus | null, next: PoolStatus): PoolEvent[] {
  return [...transitions(previous, next).flatMap(serverEvent), ...conditionEvents(previous, next)];
}

function serverEvent({ from, message, server, sessions, to }: Transition): PoolEvent[] {
  switch (to) {
    case 'Up':
      return [{ type: 'Normal', reason: 'ServerUp', note: `${server} takes new sessions` }];
    case 'Down':
    case 'Full':
    case 'RefusesProxy':
    case 'Unreachable':
    case 'Hung':
      return from === null || from === 'Unknown' ? [] : [{ type: 'Warning', reason: `Server${to}`, note: `${server}: ${message ?? to}` }];
    case 'Draining':
      return [{ type: 'Normal', reason: 'ServerDraining', note: `${server} takes no new sessions; ${sessions} remain` }];
    case 'Drained':
      return [{ type: 'Normal', reason: 'ServerDrained', note: `${server} has no sessions left` }];
    case null:
      return [{ type: 'Normal', reason: 'ServerGone', note: `${server} has left the pool` }];
    default:
      return [];
  }
}

function conditionEvents(previous: PoolStatus | null, next: PoolStatus): PoolEvent[] {
  return next.conditions.flatMap((condition): PoolEvent[] => {
    const before = previous?.conditions.find((each) => each.type === condition.type);
    // What needs attention may be another thing than before.
    const same = before?.status === condition.status && (condition.type !== 'Attention' || before.reason === condition.reason);
    return same ? [] : conditionEvent(condition, before === undefined);
  });
}

function conditionEvent({ type, status, reason, message }: Condition, first: boolean): PoolEvent[] {
  const good = status === 'True';
  const words = CONDITION_EVENTS[type];
  if (words === undefined || (!good && first && !words.first)) return []; // what has just come is not ready yet, and that is no news
  const isWarning = good === words.badWhenTrue;
  const note = type === 'Attention' && good ? `${reason}: ${message}` : message;
  return [{ type: isWarning ? 'Warning' : 'Normal', reason: good ? words.whenTrue : words.whenFalse, note }];
}

interface ConditionWords {
  readonly whenTrue: PoolEventReason;
  readonly whenFalse: PoolEventReason;
  readonly badWhenTrue: boolean;
  /** Whether an Event is written also when a new pool begins with the condition not True. */
  readonly first: boolean;
}

const CONDITION_EVENTS: Readonly<Partial<Record<Condition['type'], ConditionWords>>> = {
  Accepted: { whenTrue: 'PoolAccepted', whenFalse: 'PoolRefused', badWhenTrue: false, first: true },
  Ready: { whenTrue: 'PoolReady', whenFalse: 'PoolNotReady', badWhenTrue: false, first: false },
  Attention: { whenTrue: 'Attention', whenFalse: 'AttentionResolved', badWhenTrue: true, first: false },
};
