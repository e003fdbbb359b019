/** What of a JSON text is wanted. */
export interface Pruning {
  /** How many objects and lists the objects are inside of whose members are judged: 0 for the outermost one, 2 for each of a list in it. */
  readonly depth: number;
  /** Members that are never wanted, of these objects or of their `metadata`. */
  readonly dropped: ReadonlySet<string>;
  /** Objects, lists and commas that one member may have; each of them becomes up to a hundred bytes when it is parsed, however short it is. */
  readonly memberValues: number;
}

/** A text in which `null` stands for each member that is not wanted. */
export interface Pruned {
  readonly text: string;
  /** Objects, lists and commas that are left. */
  readonly values: number;
  /** What was taken out, in order: the name of each member, and its text. */
  readonly cut: readonly { readonly key: string; readonly text: string }[];
}

interface Member {
  readonly key: string;
  readonly start: number;
  /** Values before it. */
  readonly values: number;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [BEGIN_OBJECT, BEGIN_LIST, END_OBJECT, END_LIST] = [0x7b, 0x5b, 0x7d, 0x5d];

/**
 * Takes out of a JSON text what is not wanted before it is parsed: 1 MB of `{},{},` would become 20 MB of objects. Looks at each character
 * once, and at none as if the text were valid: parsing it will tell.
 */
export function pruneJson(text: string, pruning: Pruning): Pruned {
  return new Pruner(text, pruning).run();
}

class Pruner {
  readonly #text: string;
  readonly #pruning: Pruning;
  readonly #cuts: { readonly key: string; readonly start: number; readonly end: number }[] = [];
  #level = 0;
  #values = 0;
  #key = '';
  /** The member under way of an object, and of its `metadata`. */
  #member: Member | null = null;
  #inner: Member | null = null;

  constructor(text: string, pruning: Pruning) {
    this.#text = text;
    this.#pruning = pruning;
  }

  run(): Pruned {
    const text = this.#text;
    for (let at = 0; at < text.length; at += 1) {
      switch (text.charCodeAt(at)) {
        case QUOTE:
          at = this.#string(at);
          break;
        case BEGIN_OBJECT:
        case BEGIN_LIST:
          this.#level += 1;
          this.#values += 1;
          break;
        case END_OBJECT:
        case END_LIST:
          this.#endMember(at);
          this.#level -= 1;
          break;
        case COMMA:
          this.#endMember(at);
          this.#values += 1;
          break;
        case COLON:
          this.#beginMember(at + 1);
      }
    }
    const cut = this.#cuts.map(({ end, key, start }) => ({ key, text: text.slice(start, end) }));
    return { text: this.#withoutCuts(), values: this.#values, cut };
  }

  /** @returns where the string ends */
  #string(start: number): number {
    const text = this.#text;
    const end = endOfString(text, start);
    // Only a member's name can be followed by a colon, and only few are asked for.
    const isOfObject = this.#level === this.#pruning.depth + 1;
    if (isOfObject || this.#level === this.#pruning.depth + 2) this.#key = end - start < 64 ? text.slice(start + 1, end) : '';
    return end;
  }

  #beginMember(start: number): void {
    const member = { key: this.#key, start, values: this.#values };
    if (this.#level === this.#pruning.depth + 1) this.#member = member;
    else if (this.#level === this.#pruning.depth + 2 && this.#member?.key === 'metadata') this.#inner = member;
  }

  #endMember(end: number): void {
    if (this.#level === this.#pruning.depth + 2 && this.#inner !== null) {
      this.#judge(this.#inner, end);
      this.#inner = null;
    } else if (this.#level === this.#pruning.depth + 1 && this.#member !== null) {
      this.#judge(this.#member, end);
      this.#member = null;
    }
  }

  #judge({ key, start, values }: Member, end: number): void {
    if (!this.#pruning.dropped.has(key) && this.#values - values <= this.#pruning.memberValues) return;
    while ((this.#cuts.at(-1)?.start ?? -1) >= start) this.#cuts.pop(); // of what goes as a whole
    this.#cuts.push({ key, start, end });
    this.#values = values;
  }

  #withoutCuts(): string {
    const kept: string[] = [];
    let from = 0;
    for (const { end, start } of this.#cuts) {
      kept.push(this.#text.slice(from, start), 'null');
      from = end;
    }
    return kept.length === 0 ? this.#text : kept.join('') + this.#text.slice(from);
  }
}

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

/** Where a string ends that begins there; where the text ends, if it does not. */
function endOfString(text: string, start: number): number {
  let end = start;
  do end = text.indexOf('"', end + 1);
  while (end > 0 && isEscaped(text, end));
  return end < 0 ? text.length : end;
}

/** Whether an odd number of backslashes stands before a quotation mark. */
function isEscaped(text: string, quote: number): boolean {
  let first = quote;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (quote - first) % 2 === 1;
}
