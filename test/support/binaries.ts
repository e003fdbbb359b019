import { execFileSync } from 'node:child_process';

/** A haproxy binary that tests run on. */
export interface HaproxyBinary {
  readonly version: string;
  readonly path: string;
}

/**
 * The machine's own HAProxy and the 3.0 of the set-up. One that is missing fails the tests that need it: a skip would hide it.
 */
export const BINARIES: readonly HaproxyBinary[] = [
  process.env['CCCAM_HAPROXY'] ?? 'haproxy',
  process.env['CCCAM_HAPROXY_3_0'] ?? `${process.env['HOME']}/.cache/cccam-operator/haproxy-3.0/haproxy`,
].map((path) => ({ path, version: versionOf(path) }));

/** The newest of them, for behaviour that is the same on all. */
export const NEWEST: HaproxyBinary = BINARIES.at(-1) ?? { path: 'haproxy', version: 'missing' };

function versionOf(path: string): string {
  return /version (\d+\.\d+)/.exec(execFileSync(path, ['-v'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
}
