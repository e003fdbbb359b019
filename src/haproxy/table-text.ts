import { CccamError } from '../runtime/errors.ts';

/** One line of a table, to be asked by the names of its columns. Read a hundred times a second, so nothing is copied. */
export interface Row {
  readonly columns: ReadonlyMap<string, number>;
  readonly values: readonly string[];
}

/** Text in a column, or undefined where the table has no such column. */
export function cell(row: Row, key: string): string | undefined {
  const index = row.columns.get(key);
  return index === undefined ? undefined : (row.values[index] ?? '');
}

/** The rows of `show stat`. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function statisticsRows(text: string): Row[] {
  const [header = '', ...lines] = text.trim().split('\n');
  if (!header.startsWith('# pxname,svname,')) throw unreadable('show stat', 'the header is missing');
  return rows(header.slice(2), ',', lines);
}

/** The rows of `show servers state`. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function stateRows(text: string): Row[] {
  const [version = '', header = '', ...lines] = text.trim().split('\n');
  if (version.trim() !== '1' || !header.startsWith('# be_id ')) throw unreadable('show servers state', 'the header is missing');
  return rows(header.slice(2).trim(), ' ', lines);
}

function rows(header: string, separator: string, lines: readonly string[]): Row[] {
  const columns = new Map(header.split(separator).map((key, index) => [key, index]));
  return lines.filter((line) => line !== '').map((line) => ({ columns, values: line.split(separator) }));
}

/** Number in a column; an empty one is 0. @throws CccamError CCP_HAPROXY_ANSWER_UNREADABLE */
export function figure(row: Row, key: string): number {
  const text = cell(row, key);
  const value = text === '' ? 0 : Number(text);
  if (text === undefined || !Number.isFinite(value)) throw unreadable('statistics', `${key} is not a number`);
  return value;
}

/** A line of `show info`, or undefined. */
export function infoLine(text: string, key: string): string | undefined {
  return new RegExp(`^${key}: (.*)$`, 'm').exec(text)?.[1];
}

/** HAProxy answered something that this version cannot read. */
export function unreadable(what: string, message: string): CccamError {
  return new CccamError('CCP_HAPROXY_ANSWER_UNREADABLE', {
    subject: what,
    message,
    remedy: 'Retrying. Check that this is HAProxy 2.6 or newer.',
    retryable: true,
  });
}
