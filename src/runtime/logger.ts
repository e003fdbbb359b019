import { destination, type Logger, pino } from 'pino';
import { messageOf } from './errors.ts';

export type { Logger } from 'pino';

/**
 * The log of a process in a cluster: one JSON object per line, a constant message and fields. Written synchronously, because what is
 * said right before an end matters most.
 *
 * @param fields on every line
 */
export function createLogger(level: string, fields: Readonly<Record<string, unknown>>): Logger {
  return pino(
    { level, base: fields, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: (label) => ({ level: label }) } },
    destination({ fd: 1, sync: true }),
  );
}

/** How many errors of several are named in one log line. */
const NAMED = 3;

/** An error as fields of a log line: its code and message, never a whole object of a library. Of several errors, the first few messages. */
export function errorFields(thrown: unknown): Readonly<Record<string, unknown>> {
  if (thrown instanceof AggregateError) {
    const errors = flat(thrown);
    const messages = [...new Set(errors.map(messageOf))];
    const more = messages.length - NAMED;
    const error = [...messages.slice(0, NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    return { ...errorFields(errors[0]), error };
  }
  if (!(thrown instanceof Error)) return { error: String(thrown) };
  const code = 'code' in thrown ? thrown.code : undefined;
  return { error: thrown.message, ...(typeof code === 'string' ? { code } : {}) };
}

/** The errors of an AggregateError, and of those within it. */
function flat(thrown: unknown): readonly unknown[] {
  return thrown instanceof AggregateError ? thrown.errors.flatMap(flat) : [thrown];
}
