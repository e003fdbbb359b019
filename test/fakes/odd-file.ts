/** A pool file as a careful person writes it. */
export const FINE_FILE = `apiVersion: cccam.dev/v1alpha1
kind: CccamPool
metadata:
  name: living-room
spec:
  port: 12000
  backends:
    - name: rack
      external:
        address: 10.0.0.1
      port: 12001
      capacity:
        cores: 4
      weight: 100
    - name: attic
      external:
        address: 10.0.0.2
      weight: 50
  health:
    interval: 10s
  timeouts:
    idle: 30m
`;

/** A file that is not fine, and what whoever wrote it must be told. */
export interface OddFile {
  readonly what: string;
  readonly bytes: Uint8Array;
  /** Where, or null for the file as a whole. */
  readonly line: number | null;
  readonly field: string;
  /** What was expected there. */
  readonly expected: RegExp;
  /** What to do. */
  readonly remedy: RegExp;
}

/** What is odd, the file, where, what was expected, and what to do. */
export type Row = readonly [what: string, text: string | Uint8Array, line: number | null, field: string, expected: RegExp, remedy: RegExp];

/** The fine file with one line in place of another. */
export function line(number: number, text: string): string {
  return FINE_FILE.split('\n')
    .map((each, index) => (index + 1 === number ? text : each))
    .join('\n');
}

/** The fine file with more lines after one. */
export function after(number: number, ...texts: string[]): string {
  const lines = FINE_FILE.split('\n');
  return [...lines.slice(0, number), ...texts, ...lines.slice(number)].join('\n');
}

/** The fine file without some lines. */
export function without(...numbers: number[]): string {
  return FINE_FILE.split('\n')
    .filter((_, index) => !numbers.includes(index + 1))
    .join('\n');
}

/** A field that many of them are about. */
export const ADDRESS = 'spec.backends[0].external.address';
/** A field that many of them are about. */
export const PORT = 'spec.backends[0].port';
/** A field that many of them are about. */
export const CORES = 'spec.backends[0].capacity.cores';
/** A field that many of them are about. */
export const WEIGHT = 'spec.backends[0].weight';
