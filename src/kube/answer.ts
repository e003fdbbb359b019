import { pruneJson } from '../runtime/json-text.ts';

/** Where the objects are in an answer: it is one, an event of a watch has one in `object`, a list has many in `items`. */
export type AnswerShape = 'object' | 'event' | 'list';

/**
 * Objects, lists and commas that one member of an object, such as its `spec`, may have. A user who may write an object may fill it with them, and
 * each becomes up to a hundred bytes here. Pods have some hundreds, a pool with 4 000 servers has 40 000.
 */
export const MEMBER_VALUES = 65_536;

const DEPTH: Readonly<Record<AnswerShape, number>> = { object: 0, event: 1, list: 2 };
/** The former is half of what most objects are, and nothing here reads either. */
const NEVER_READ = new Set(['managedFields', 'finalizers']);

/** An answer is larger than it may be, or has more values. */
export class TooLargeError extends Error {}

/**
 * Parses an answer of the API server, without what is never read. A member with more than `MEMBER_VALUES` is null.
 *
 * @param maxValues what may be left in all
 * @throws TooLargeError @throws SyntaxError when it is no JSON
 */
export function parseAnswer(text: string, shape: AnswerShape, maxValues = Number.POSITIVE_INFINITY): unknown {
  const pruned = pruneJson(text, { depth: DEPTH[shape], dropped: NEVER_READ, memberValues: MEMBER_VALUES });
  if (pruned.values > maxValues) throw new TooLargeError(`the answer has more than ${maxValues} values`);
  return JSON.parse(pruned.text);
}
