import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import { type FieldPath, type ParsedPool, PoolInvalidError, parsePool, pathText } from '../api/v1alpha1/index.ts';
import { CccamError, messageOf, systemCode } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';

/** Larger than any pool that the schema accepts; a file that grows past it is a mistake. */
const MAX_BYTES = 131_072;
/** Complaints that are told; a file with more of them is not read to the end. */
const MAX_ISSUES = 20;

/** One complaint about a pool file, at its place. */
export interface FileIssue {
  /** From 1. */
  readonly line: number;
  readonly field: string;
  readonly message: string;
}

type RefusalCode = 'CCP_POOL_INVALID' | 'CCP_POOL_UNSUPPORTED';

/** What reading a pool file gave: a pool, or every complaint. */
export type FileReading =
  | { readonly kind: 'pool'; readonly parsed: ParsedPool; readonly data: unknown; readonly warnings: readonly FileIssue[] }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly issues: readonly FileIssue[] };

/** The text of a pool file. @throws CccamError CCP_POOL_FILE_UNREADABLE */
export async function readPoolFile(path: string): Promise<string> {
  try {
    const text = await readFile(path);
    if (text.byteLength > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch (thrown) {
    throw new CccamError('CCP_POOL_FILE_UNREADABLE', {
      subject: printable(path),
      message: systemCode(thrown) ?? messageOf(thrown),
      remedy: 'Name a YAML or JSON file with one CccamPool.',
      retryable: true,
      cause: thrown,
    });
  }
}

/**
 * The pool to start with. At the start there is no last good one to go on with, so a bad file is an error.
 *
 * @throws CccamError CCP_POOL_FILE_UNREADABLE, CCP_POOL_INVALID or CCP_POOL_UNSUPPORTED with every complaint
 */
export async function readFirstPool(path: string): Promise<FileReading & { readonly kind: 'pool'; readonly text: string }> {
  const text = await readPoolFile(path);
  const reading = parsePoolFile(text);
  if (reading.kind === 'pool') return { ...reading, text };
  throw new CccamError(reading.code, {
    subject: printable(path),
    message: reading.issues.map((issue) => `\n  line ${issue.line}: ${issue.field}: ${issue.message}`).join(''),
    remedy: 'Correct the fields named above; docs/reference/cccampool.md lists them all.',
  });
}

/** Reads the text of a pool file for a box without Kubernetes. Never throws for what the text says. */
export function parsePoolFile(text: string): FileReading {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    return refused('CCP_POOL_INVALID', [
      { line: counter.linePos(problem.pos[0]).line, field: 'pool', message: printable(problem.message) },
    ]);
  }
  const lineOf = (path: FieldPath): number => lineAt(document, counter, path);
  try {
    const data: unknown = document.toJS({ maxAliasCount: 0 });
    const parsed = parsePool(data, 'box');
    return {
      kind: 'pool',
      parsed,
      data,
      warnings: parsed.warnings.map((issue) => ({ line: lineOf(issue.path), field: pathText(issue.path), message: issue.message })),
    };
  } catch (thrown) {
    if (!(thrown instanceof PoolInvalidError))
      return refused('CCP_POOL_INVALID', [{ line: 1, field: 'pool', message: printable(messageOf(thrown)) }]);
    return refused(
      thrown.code === 'CCP_POOL_UNSUPPORTED' ? 'CCP_POOL_UNSUPPORTED' : 'CCP_POOL_INVALID',
      thrown.issues
        .slice(0, MAX_ISSUES)
        .map((issue) => ({ line: lineOf(issue.path), field: pathText(issue.path), message: issue.message })),
    );
  }
}

function refused(code: RefusalCode, issues: readonly FileIssue[]): FileReading {
  return { kind: 'refused', code, issues };
}

/** Line of a field, or of the nearest field above it that is in the file. */
function lineAt(document: ReturnType<typeof parseDocument>, counter: LineCounter, path: FieldPath): number {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const start = startOf(node);
    if (start !== undefined) return counter.linePos(start).line;
  }
  return 1;
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined;
  const [start] = node.range as unknown[];
  return typeof start === 'number' ? start : undefined;
}
