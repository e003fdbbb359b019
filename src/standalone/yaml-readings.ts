import { type Document, isPair, isScalar, type Scalar, visit } from 'yaml';
import { printable } from '../runtime/printable.ts';

/** A value that `kubectl apply` would read differently. */
export interface TwoReadings {
  readonly path: readonly (string | number)[];
  readonly node: Scalar;
  /** What it is here, and what it would be in a cluster. */
  readonly here: string;
  readonly there: string;
}

const YES = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE']);
const NO = new Set(['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE']);
const NULL = new Set(['', '~', 'null', 'Null', 'NULL']);

/**
 * Values of a document that mean one thing here, where YAML 1.2 is read, and another in `kubectl apply`, which reads YAML 1.1 (go-yaml v2:
 * `024001` is octal, `yes` is true). A pool must be the same pool in both.
 */
export function twoReadings(document: Document): TwoReadings[] {
  const found: TwoReadings[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (node.type !== 'PLAIN' || node.source === undefined || (key === 'key' && typeof node.value === 'string')) return;
      const there = kubectlReading(node.source);
      if (same(node.value, there)) return;
      found.push({ path: pathOf(ancestors, node), node, here: shown(node.value), there: shown(there) });
    },
  });
  return found;
}

/** What go-yaml v2 makes of a word without quotes. */
export function kubectlReading(source: string): unknown {
  if (NULL.has(source)) return null;
  if (YES.has(source)) return true;
  if (NO.has(source)) return false;
  const plain = source.replaceAll('_', '');
  const integer = /^([-+]?)(0[0-7]+|0o[0-7]+|0[xX][0-9a-fA-F]+|0b[01]+|0|[1-9][0-9]*)$/.exec(plain);
  if (integer !== null) return integerOf(integer[1] === '-' ? -1 : 1, integer[2] ?? '');
  if (/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(plain)) return Number(plain);
  if (/^[-+]?\.(inf|Inf|INF)$/.test(source)) return source.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^\.(nan|NaN|NAN)$/.test(source)) return Number.NaN;
  return source;
}

function integerOf(sign: number, digits: string): number {
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  return sign * Number(octal);
}

function same(here: unknown, there: unknown): boolean {
  return Object.is(here, there) || (here === 0 && there === 0) || (here === undefined && there === null);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `the text "${printable(value, 60)}"`;
  return value === null ? 'nothing' : String(value);
}

function pathOf(ancestors: readonly unknown[], node: Scalar): (string | number)[] {
  const path: (string | number)[] = [];
  for (const [index, ancestor] of ancestors.entries()) {
    const next = ancestors[index + 1] ?? node;
    if (isPair(ancestor) && isScalar(ancestor.key) && ancestor.value === next) path.push(String(ancestor.key.value));
    else if (typeof ancestor === 'object' && ancestor !== null && 'items' in ancestor && Array.isArray(ancestor.items)) {
      const at = ancestor.items.indexOf(next);
      if (at >= 0 && !isPair(next)) path.push(at);
    }
  }
  return path;
}
