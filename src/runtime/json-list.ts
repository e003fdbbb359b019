const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [BEGIN_OBJECT, BEGIN_LIST, END_OBJECT, END_LIST] = [0x7b, 0x5b, 0x7d, 0x5d];

/**
 * The items of a JSON list, each as the text that it has: a long list can be read one item at a time, and be given up at the first that is
 * wrong. What is no list has no items; an item may be no JSON.
 */
export function* listItems(text: string): Generator<string> {
  const list = text.trim();
  if (!list.startsWith('[') || !list.endsWith(']') || list.slice(1, -1).trim() === '') return;
  let [level, from] = [0, 1];
  for (let at = 1; at < list.length - 1; at += 1) {
    const character = list.charCodeAt(at);
    if (character === QUOTE) at = endOfString(list, at);
    else if (character === BEGIN_OBJECT || character === BEGIN_LIST) level += 1;
    else if (character === END_OBJECT || character === END_LIST) level -= 1;
    else if (character === COMMA && level === 0) {
      yield list.slice(from, at);
      from = at + 1;
    }
  }
  yield list.slice(from, -1);
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === BACKSLASH) at += 1;
    else if (character === QUOTE) return at;
  }
  return text.length;
}
