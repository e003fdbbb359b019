import { type Document, isAlias, isMap, isNode, isScalar, type LineCounter, visit, type YAMLError } from 'yaml';
import type { FieldPath } from '../api/v1alpha1/index.ts';

/** Offset of the error: a quote that is never closed is noticed at the end of the file only. */
export function errorOffset({ pos: [at] }: YAMLError, document: Document.Parsed): number {
  let offset = at;
  visit(document, {
    Scalar(_key, { range, type }) {
      if (range && (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') && range[0] < at && at <= range[1]) [offset] = range;
    },
  });
  return offset;
}

/** Line of the first alias, or of the first one with this name. */
export function aliasLine(document: Document.Parsed, counter: LineCounter, name: string | null): number {
  let line = 1;
  visit(document, (_key, node) => {
    if (!isAlias(node) || (name !== null && node.source !== name)) return undefined;
    line = counter.linePos(node.range?.[0] ?? 0).line;
    return visit.BREAK;
  });
  return line;
}

/** Line of a field's name, or of the nearest field above it that is in the file. */
export function lineAt(document: Document.Parsed, counter: LineCounter, path: FieldPath): number {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const start = startOf(document, path.slice(0, depth));
    if (start !== undefined) return counter.linePos(start).line;
  }
  return 1;
}

function startOf(document: Document.Parsed, path: FieldPath): number | undefined {
  const last = path.at(-1);
  const parent = nodeAt(document, path.slice(0, -1));
  const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
  const node = last === undefined ? document.contents : pair === undefined ? nodeAt(document, path) : pair.key;
  return isNode(node) ? node.range?.[0] : undefined;
}

/** The node of a path; an alias on the way there leads nowhere. */
function nodeAt(document: Document.Parsed, path: FieldPath): unknown {
  try {
    return path.length === 0 ? document.contents : document.getIn(path, true);
  } catch {
    return undefined; // the line above it is as good
  }
}

/** Offset of the first key that its map has a second time, or null. */
export function secondKey(document: Document.Parsed): number | null {
  let offset: number | null = null;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          offset = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return offset;
}
