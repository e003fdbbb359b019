import type { Condition, PoolStatus } from '../api/v1alpha1/index.ts';
import { type Transition, transitions } from './transitions.ts';

/** Every reason of an Event about a pool, with what it means. `docs/reference/events.md` lists the same; a test compares them. */
export const POOL_EVENT_REASONS = {
  ServerUp: 'a server takes new sessions',
  ServerDown: 'a server that should serve is down',
  ServerFull: 'a server takes no more sessions than it holds; those go on',
  ServerRefusesProxy: 'a server closes or ignores new connections of the proxies; its sessions go on',
  ServerUnreachable: 'connections to a server are not answered; its sessions are kept',
  ServerHung: 'a server answers nobody any more, its own sessions neither',
  ServerDraining: 'a server takes no new sessions; those that it has stay',
  ServerDrained: 'nobody is left on a draining server',
  ServerGone: 'a server has left the pool',
  PoolRefused: 'the pool makes no sense as it stands; the last good one goes on serving',
  PoolAccepted: 'the pool was understood and is in force',
  PoolReady: 'every proxy runs this generation and clients are served',
  PoolNotReady: 'the pool does not serve as it should',
  PoolWarning: 'the pool is in force, and something in it deserves a second look',
  Attention: 'something will hurt soon, or does: the note says what, and what to do',
  AttentionResolved: 'nothing needs attention any more',
  ChildRestored: 'an object of the pool was changed by somebody else and is as it should be again',
  NotOwned: "an object with the name of one of the pool's belongs to somebody else and is left alone",
  ChildRemoved: 'an object that the pool does not need any more was deleted',
  RolloutBegan: "a backend's pods are being replaced, one after the other",
  DrainAnnotationInvalid: 'a drain annotation is neither true nor a duration; the pod is drained all the same',
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
      return [{ type: 'Normal', reason: 'ServerDraining', note: `${server} takes no new sessions; ${sessions} are left` }];
    case 'Drained':
      return [{ type: 'Normal', reason: 'ServerDrained', note: `nobody is left on ${server}` }];
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
