import type { PoolStatus } from '../api/v1alpha1/index.ts';

/** A number that moved by less than this is not worth a write. */
const WORTH = 0.1;

/** How writes of a status are spread. */
export interface Damping {
  /** Milliseconds since it was last written. */
  readonly sinceMs: number;
  /** How soon numbers may be written again, in milliseconds. */
  readonly countsEveryMs: number;
}

/**
 * When a status should be written: at once when anything but a number has changed, or a number is 0 now or was 0 before; otherwise when a
 * number has moved by a tenth or stands in a message, and not again too soon.
 *
 * @param written the status as it stands, or null
 * @returns milliseconds until then, 0 for now, or null for never as things are
 */
export function writingDueInMs(written: PoolStatus | null, next: PoolStatus, { countsEveryMs, sinceMs }: Damping): number | null {
  if (written === null || stateText(written) !== stateText(next)) return 0;
  const moved = movement(counts(written), counts(next)) >= WORTH || messages(written) !== messages(next);
  return moved ? Math.max(0, countsEveryMs - sinceMs) : null;
}

/** A message as it reads whatever its numbers are. */
export function withoutNumbers(message: string): string {
  return message.replaceAll(/[0-9]+/g, '#');
}

/** Everything but the numbers, and of the numbers whether they are 0. */
function stateText(status: PoolStatus): string {
  return canonical({
    ...status,
    conditions: status.conditions.map((condition) => ({ ...condition, message: withoutNumbers(condition.message) })),
    sessions: status.sessions > 0,
    backends: status.backends.map(({ ecm: _, ...backend }) => ({
      ...backend,
      sessions: backend.sessions > 0,
      servers: backend.servers.map((server) => ({
        ...server,
        sessions: server.sessions > 0,
        ...(server.message === undefined ? {} : { message: withoutNumbers(server.message) }),
      })),
    })),
  });
}

function messages({ backends, conditions }: PoolStatus): string {
  const ofServers = backends.flatMap(({ servers }) => servers.map(({ message }) => message));
  return [...conditions.map(({ message }) => message), ...ofServers].join('\n');
}

function counts(status: PoolStatus): number[] {
  return [
    status.sessions,
    ...status.backends.flatMap((backend) => [backend.sessions, ...backend.servers.map((server) => server.sessions)]),
  ];
}

/** Largest relative change. */
function movement(before: readonly number[], after: readonly number[]): number {
  return Math.max(0, ...after.map((count, index) => Math.abs(count - (before[index] ?? 0)) / Math.max(1, before[index] ?? 0)));
}

/** JSON with sorted keys: the API server does not keep their order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
