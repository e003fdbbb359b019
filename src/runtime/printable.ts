/** Text for people, in any script, without what moves a terminal's cursor, forges a line or turns letters around. */
export function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => (character === '\n' ? character : printable(character)));
}

/**
 * Text from outside, made safe to show: everything but printable ASCII becomes a `\u{…}` escape, so that no pool, file name or
 * server can move a terminal's cursor, forge a log line or hide letters; cut to `limit` characters.
 */
export function printable(text: string, limit = 200): string {
  const escaped = text.slice(0, limit + 1).replace(/[^\x20-\x7e]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return escaped.length > limit ? `${escaped.slice(0, limit)}...` : escaped;
}
