/** How much data is. */
export interface JsonSize {
  /** Levels of objects and lists below each other; 0 for a text or a number. */
  readonly depth: number;
  /** About as many bytes as its JSON has. */
  readonly bytes: number;
}

/** Where measuring stops unless told otherwise: whatever is larger is larger than anything may be. */
const CEILING: JsonSize = { depth: 10_000, bytes: 4 * 1_048_576 };

interface Container {
  readonly value: object;
  readonly depth: number;
}

/**
 * Measures data from outside before anything walks it by recursion, which an object that is nested deep enough turns into a stack overflow.
 * Data that refers to itself, or to the same part many times, is measured up to the ceiling.
 *
 * @param ceiling where measuring stops, in the middle of a list, too; 10 000 levels and 4 MiB
 */
export function jsonSize(value: unknown, ceiling = CEILING): JsonSize {
  let [deepest, bytes] = [0, 0];
  const waiting: Container[] = [];
  const measure = (child: unknown, depth: number): void => {
    if (typeof child === 'object' && child !== null) waiting.push({ value: child, depth });
    else bytes += scalarBytes(child);
  };
  measure(value, 0);
  for (let next = waiting.pop(); next !== undefined && deepest < ceiling.depth && bytes < ceiling.bytes; next = waiting.pop()) {
    const depth = next.depth + 1;
    deepest = Math.max(deepest, depth);
    bytes += 2;
    for (const [key, child] of members(next.value)) {
      bytes += key === null ? 1 : Buffer.byteLength(key) + 4;
      measure(child, depth);
      if (bytes >= ceiling.bytes) break;
    }
  }
  return { depth: deepest, bytes };
}

/** One after the other: a list of all of them may be twenty times as large as the text was. */
function* members(container: object): Generator<readonly [string | null, unknown]> {
  if (Array.isArray(container)) for (const child of container) yield [null, child];
  else for (const key in container) if (Object.hasOwn(container, key)) yield [key, Reflect.get(container, key)];
}

function scalarBytes(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) + 2 : String(value).length;
}
