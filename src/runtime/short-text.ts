/**
 * The beginning of a text, as a text of its own: a slice shares the memory of what it was cut from, so that a short piece that is kept keeps
 * all of it.
 */
export function shortText(text: string, limit: number): string {
  return text.length <= limit ? text : Buffer.from(text.slice(0, limit)).toString();
}
