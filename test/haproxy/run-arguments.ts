import type { HaproxyBinary } from '../support/binaries.ts';

/** How the program is started. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** More arguments of `run`. */
  readonly args?: readonly string[];
  /** A file that its output goes to instead of the test. */
  readonly stdout?: string;
  /** Module that is loaded before the program. */
  readonly preload?: string;
  /** A program that starts it, with its arguments, such as `prlimit`. */
  readonly through?: readonly string[];
}

/** The sources, or the bundle where `make bench` names it. */
export const PROGRAM = process.env['CCCAM_TEST_PROGRAM'] ?? 'src/main.ts';

/** The arguments of Node that start `run`. */
export function runArguments(
  box: { readonly poolFile: string; readonly stateDir: string; readonly binary: HaproxyBinary },
  { args = [], preload }: StartOptions,
): string[] {
  const files = ['-f', box.poolFile, '--state-dir', box.stateDir, '--haproxy', box.binary.path];
  return [
    ...(preload === undefined ? [] : ['--import', preload]),
    PROGRAM,
    'run',
    ...files,
    '--output',
    'json',
    '--http-port',
    '0',
    ...args,
  ];
}
