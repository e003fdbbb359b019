import { destination, type Logger, pino } from 'pino';

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

/** An error as fields of a log line: its code and message, never a whole object of a library. */
export function errorFields(thrown: unknown): Readonly<Record<string, unknown>> {
  if (!(thrown instanceof Error)) return { error: String(thrown) };
  const code = 'code' in thrown ? thrown.code : undefined;
  return { error: thrown.message, ...(typeof code === 'string' ? { code } : {}) };
}
