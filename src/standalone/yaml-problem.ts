import type { YAMLError } from 'yaml';
import { printable } from '../runtime/printable.ts';

/** What the parser's codes mean to the person who wrote the file. */
const PROBLEMS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'expected one pool in a file: take out everything from this `---` on, or put it into a file of its own',
  TAB_AS_INDENT: 'expected spaces: YAML does not take a tab for indentation',
  DUPLICATE_KEY: 'expected each key once: this one is there twice. Take one out; or is a dash missing before the second one?',
  BAD_INDENT: 'expected another indentation: lines of one list or object begin in the same column',
  BAD_ALIAS: 'expected an anchor of that name above',
  BLOCK_AS_IMPLICIT_KEY: 'expected a value of one line: is the indentation right, and is there a space after the colon?',
  BAD_SCALAR_START: 'expected quotes around a value that begins with such a character',
  MISSING_CHAR: 'expected something to be closed or a colon after a key: is every bracket and quote closed, and is the indentation right?',
  UNEXPECTED_TOKEN: 'expected something else here: is the indentation right, and is every bracket and quote closed?',
  MULTILINE_IMPLICIT_KEY: 'expected a key on one line: is there a colon and a space after it?',
  KEY_OVER_1024_CHARS: 'expected a shorter key',
  TAG_RESOLVE_FAILED: 'expected no tag (a word behind an exclamation mark)',
};

/** What is wrong with the text of a file, in plain words. */
export function yamlProblem({ code, message }: Pick<YAMLError, 'code' | 'message'>): string {
  return PROBLEMS[code] ?? `expected YAML: ${printable(message)}`;
}

/** Characters that look like others and are not, by their names. */
const LOOKALIKES: ReadonlyMap<string, string> = new Map([
  ['\u00a0', 'a space that does not break (U+00A0)'],
  ['\u2007', 'a figure space (U+2007)'],
  ['\u202f', 'a narrow space (U+202F)'],
  ['\u3000', 'a wide space (U+3000)'],
  ['\u200b', 'a space without width (U+200B)'],
  ['\ufeff', 'a byte order mark in the middle (U+FEFF)'],
  ['\u2018', 'a typographic quote'],
  ['\u2019', 'a typographic quote'],
  ['\u201c', 'a typographic quote'],
  ['\u201d', 'a typographic quote'],
  ['\u2013', 'a long dash'],
  ['\u2014', 'a long dash'],
]);

/** The first line outside of comments with a character that only looks right, as text copied from a web page has them; or null. */
export function lookalike(text: string): { readonly line: number; readonly message: string } | null {
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.replace(/(^|\s)#.*$/, '');
    const found = [...content].find((character, at) => LOOKALIKES.has(character) && !(index === 0 && at === 0 && character === '\ufeff'));
    if (found === undefined) continue;
    return { line: index + 1, message: `expected plain characters: this line has ${LOOKALIKES.get(found)}. Type it again` };
  }
  return null;
}
