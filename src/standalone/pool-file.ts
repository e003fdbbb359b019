import { type Document, LineCounter, parseDocument } from 'yaml';
import { type Issue, type ParsedPool, PoolInvalidError, parsePool, pathText } from '../api/v1alpha1/index.ts';
import { selfTargets } from '../pool/self-target.ts';
import { specWarnings } from '../pool/spec-warnings.ts';
import { CccamError, messageOf } from '../runtime/errors.ts';
import { printable } from '../runtime/printable.ts';
import { aliasLine, errorOffset, lineAt, secondKey } from './yaml-location.ts';
import { lookalike, yamlProblem } from './yaml-problem.ts';
import { twoReadings } from './yaml-readings.ts';

/** Complaints that are reported; a file with more of them is not read to the end. */
const MAX_ISSUES = 20;
/** Aliases of an anchor: enough for every backend of a pool, and far too few for a bomb. */
const MAX_ALIASES = 200;

/** One complaint about a pool file, at its place. */
export interface FileIssue {
  /** From 1, or null where it is about the file as a whole. */
  readonly line: number | null;
  readonly field: string;
  readonly message: string;
}

type RefusalCode = 'CCP_POOL_INVALID' | 'CCP_POOL_UNSUPPORTED';

/** What reading a pool file gave: a pool, or every complaint. */
export type FileReading =
  | { readonly kind: 'pool'; readonly parsed: ParsedPool; readonly data: unknown; readonly warnings: readonly FileIssue[] }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly issues: readonly FileIssue[] };

/** The error of a file that was refused, for a start that has nothing else to go on with. */
export function refusalError(path: string, reading: Extract<FileReading, { kind: 'refused' }>): CccamError {
  return new CccamError(reading.code, {
    subject: printable(path),
    message: reading.issues.map((issue) => `\n  line ${issue.line}: ${issue.field}: ${issue.message}`).join(''),
    remedy: 'Correct the lines named above; docs/reference/cccampool.md lists every field.',
  });
}

/**
 * Reads the text of a pool file for a box without Kubernetes. Never throws for what the text says.
 *
 * @param own whether clients of the pool are served at an address: no server can be there, at the same port
 */
export function parsePoolFile(text: string, own: (address: string) => boolean): FileReading {
  const counter = new LineCounter();
  // The parser itself compares each key with each other one: seconds for some thousand keys.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const lineOf = (position: number): number => counter.linePos(position).line;
  const [problem] = document.errors;
  if (problem !== undefined)
    return broken(text, { line: lineOf(errorOffset(problem, document)), field: 'pool', message: yamlProblem(problem) });
  const twice = secondKey(document);
  if (twice !== null)
    return broken(text, { line: lineOf(twice), field: 'pool', message: yamlProblem({ code: 'DUPLICATE_KEY', message: '' }) });
  if (document.contents === null) return broken(text, { line: 1, field: 'pool', message: EMPTY });
  const doubtful = twoReadings(document).map(
    ({ here, node, path, there }): FileIssue => ({
      line: lineOf(node.range?.[0] ?? 0),
      field: pathText(path),
      message: `expected something that reads the same everywhere: here it is ${here}, in kubectl apply ${there}. Write what you mean: true, false, a decimal number such as 24001, or a text in quotes`,
    }),
  );
  if (doubtful.length > 0) return refused('CCP_POOL_INVALID', doubtful);
  return understand(document, counter, own);
}

function understand(document: Document.Parsed, counter: LineCounter, own: (address: string) => boolean): FileReading {
  const at = ({ message, path }: Issue): FileIssue => ({ line: lineAt(document, counter, path), field: pathText(path), message });
  try {
    const data = withoutStatus(document.toJS({ maxAliasCount: MAX_ALIASES }));
    if (isList(data)) return refused('CCP_POOL_INVALID', [at({ path: ['kind'], message: LIST })]);
    const parsed = parsePool(data, 'standalone');
    const { spec } = parsed.pool;
    const circles = selfTargets(spec, (address, port) => port === spec.port && own(address));
    if (circles.length > 0) return refused('CCP_POOL_INVALID', circles.map(at));
    const warnings = [...parsed.warnings, ...specWarnings(spec)].map(at);
    return { kind: 'pool', parsed, data, warnings };
  } catch (thrown) {
    if (thrown instanceof PoolInvalidError) {
      return refused(thrown.code === 'CCP_POOL_UNSUPPORTED' ? 'CCP_POOL_UNSUPPORTED' : 'CCP_POOL_INVALID', thrown.issues.map(at));
    }
    return refused('CCP_POOL_INVALID', [aliasIssue(messageOf(thrown), document, counter)]);
  }
}

const EMPTY = 'expected a CccamPool, found an empty file: write one, as the guide shows';
const LIST = 'expected one CccamPool, found a List, as kubectl makes it: take its one item out of items, with kind and apiVersion';

function isList(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'kind' in data && data.kind === 'List' && 'items' in data;
}

/** Aliases are looked at when the text becomes data: one may lead nowhere, or too many be a bomb. */
function aliasIssue(thrown: string, document: Document.Parsed, counter: LineCounter): FileIssue {
  const [, lost] = /^Unresolved alias .*: (\S+)$/.exec(thrown) ?? [];
  const line = aliasLine(document, counter, lost ?? null);
  if (lost !== undefined) {
    return { line, field: 'pool', message: `expected an anchor of that name above (&${printable(lost, 40)}): write the value out` };
  }
  const message = line === 1 ? printable(thrown) : `expected at most ${MAX_ALIASES} aliases (*name): write the values out`;
  return { line, field: 'pool', message };
}

/** What `kubectl get -o yaml` adds is not part of the pool. */
function withoutStatus(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  return Object.fromEntries(Object.entries(data).filter(([key]) => key !== 'status'));
}

/** A text that is no YAML often has a character in it that only looks right, and the parser stumbles somewhere else. */
function broken(text: string, issue: FileIssue): FileReading {
  const found = lookalike(text);
  return refused('CCP_POOL_INVALID', found === null || found.line > (issue.line ?? 1) + 1 ? [issue] : [{ ...issue, ...found }]);
}

function refused(code: RefusalCode, issues: readonly FileIssue[]): FileReading {
  return { kind: 'refused', code, issues: issues.slice(0, MAX_ISSUES) };
}
