/** Every check and every tier of tests, one after the other, and at the end one line that adds them all up. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const CHECKS = [
  ['types', 'tsc', []],
  ['style', 'biome', ['check', '.']],
  ['generated files', 'node', ['scripts/generate.ts', '--check']],
  ['prose', 'node', ['scripts/prose.ts']],
  ['bundle', 'node', ['scripts/build.ts']],
] as const;
/** One after the other: two cores are soon shared by too many. */
const TIERS = ['unit', 'haproxy', 'api-server', 'cluster'] as const;

/** A test that needs a retry hides a race, in it or in the program. A few are named, more of them fail. */
const MOST_RETRIES = 3;

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const folder = mkdtempSync(join(tmpdir(), 'ccp-test-'));
const retriesFile = join(folder, 'retries');
const begun = performance.now();

for (const [name, command, args] of CHECKS) {
  const fine = spawnSync(command, args, { stdio: 'inherit' }).status === 0;
  total[fine ? 'passed' : 'failed'] += 1;
  console.log(`${fine ? 'ok' : 'FAILED'}: ${name}`);
}
for (const tier of TIERS) {
  const counts = runTier(tier);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
const retried = existsSync(retriesFile) ? readFileSync(retriesFile, 'utf8').trim().split('\n') : [];
rmSync(folder, { recursive: true, force: true });

for (const name of retried) console.log(`needed a retry: ${name}`);
if (retried.length > MOST_RETRIES) console.log(`FAILED: ${retried.length} tests needed a retry, at most ${MOST_RETRIES} may`);
// A tier that skips something hides it: in CI that is a failure.
const skippedInCi = process.env['CI'] !== undefined && total.skipped > 0;
console.log(`\nall tiers in ${Math.round((performance.now() - begun) / 1_000)} s`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0 || skippedInCi || retried.length > MOST_RETRIES) process.exitCode = 1;

function runTier(tier: string): Counts {
  const report = join(folder, `${tier}.json`);
  const args = [
    'run',
    '--project',
    tier,
    '--reporter=dot',
    '--reporter=json',
    '--reporter=./scripts/retry-reporter.ts',
    `--outputFile.json=${report}`,
  ];
  // The bundle that was just built: it is what ships, and it starts in a third of the time.
  const env = { ...process.env, CCCAM_TEST_PROGRAM: 'dist/main.js', CCCAM_RETRIES: retriesFile };
  const { status } = spawnSync('vitest', args, { stdio: 'inherit', env });
  try {
    const result = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    const counts = {
      passed: result['numPassedTests'] ?? 0,
      failed: result['numFailedTests'] ?? 0,
      skipped: (result['numPendingTests'] ?? 0) + (result['numTodoTests'] ?? 0),
    };
    // A file that cannot even be loaded, or an error outside of every test, fails without a failed test.
    if (status !== 0 && counts.failed === 0) counts.failed = 1;
    if (counts.passed === 0 && counts.failed === 0) counts.failed = 1;
    console.log(`${tier}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    return counts;
  } catch {
    console.log(`${tier}: did not report`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
