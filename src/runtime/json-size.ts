/** How much data is. */
export interface JsonSize {
  /** Levels of objects and lists below each other; 0 for a text or a number. */
  readonly depth: number;
  /** About as many bytes as its JSON has. */
  readonly bytes: number;
}

/** Where measuring stops unless told otherwise: whatever is larger is larger than anything may be. */
const CEILING: JsonSize = { depth: 10_000, bytes: 4 * 1_048_576 };

/**
 * Measures data from outside before anything walks it by recursion, which an object that is nested deep enough turns into a stack overflow.
 * Data that refers to itself, or to the same part many times, is measured up to the ceiling.
 *
 * @param ceiling where measuring stops, with little more than that; 10 000 levels and 4 MiB
 */
export function jsonSize(value: unknown, ceiling = CEILING): JsonSize {
  let [deepest, bytes] = [0, 0];
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next.value !== 'object' || next.value === null) {
      bytes += scalarBytes(next.value);
    } else {
      const depth = next.depth + 1;
      deepest = Math.max(deepest, depth);
      bytes += 2;
      for (const [key, child] of Object.entries(next.value)) {
        bytes += Array.isArray(next.value) ? 1 : Buffer.byteLength(key) + 4;
        waiting.push({ value: child, depth });
      }
    }
    if (deepest >= ceiling.depth || bytes >= ceiling.bytes) break;
  }
  return { depth: deepest, bytes };
}

function scalarBytes(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) + 2 : String(value).length;
}
