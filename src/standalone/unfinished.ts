import type { FileReading } from './pool-file.ts';

/**
 * Whether a text may be half of a write: a writer may pause in the middle, and half of a pool is
 * sometimes a pool, too (`port: 23` of `port: 23086`).
 *
 * @param before the active text, and what it said
 */
export function looksUnfinished(
  before: { readonly text: string; readonly reading: FileReading },
  now: { readonly text: string; readonly reading: FileReading },
): boolean {
  if (now.text.length < before.text.length) return true;
  if (!now.text.endsWith(lastLine(before.text))) return true;
  if (now.reading.kind === 'refused' || before.reading.kind === 'refused') return true;
  const [old, fresh] = [before.reading.parsed.pool.spec, now.reading.parsed.pool.spec];
  return fresh.port !== old.port || fresh.backends.length < old.backends.length;
}

/** The last line with something in it, with its line end: it is what a writer that begins at the top writes last. */
function lastLine(text: string): string {
  return text.slice(text.trimEnd().lastIndexOf('\n') + 1);
}
