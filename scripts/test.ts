/** Every check and every tier of tests, one after the other, and at the end one line that adds them all up. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface ProxySummary {
  passed: number;
  failed: number;
  skipped: number;
}

const CHECKS = [
  ['types', 'tsc', []],
  ['style', 'biome', ['check', '.']],
  ['generated files', 'node', ['scripts/generate.ts', '--check']],
  ['bundle', 'node', ['scripts/build.ts']],
] as const;
/** One after the other: two cores are soon shared by too many. */
const TIERS = ['unit', 'haproxy', 'api-server', 'cluster'] as const;

const total: ProxySummary = { passed: 0, failed: 0, skipped: 0 };
const folder = mkdtempSync(join(tmpdir(), 'ccp-test-'));
const begun = performance.now();

for (const [name, command, args] of CHECKS) {
  const fine = spawnSync(command, args, { stdio: 'inherit' }).status === 0;
  total[fine ? 'passed' : 'failed'] += 1;
  console.log(`${fine ? 'ok' : 'FAILED'}: ${name}`);
}
for (const tier of TIERS) {
  const summarizeProxies = runTier(tier);
  total.passed += summarizeProxies.passed;
  total.failed += summarizeProxies.failed;
  total.skipped += summarizeProxies.skipped;
}
rmSync(folder, { recursive: true, force: true });

// A tier that skips something hides it: in CI that is a failure.
const skippedInCi = process.env['CI'] !== undefined && total.skipped > 0;
console.log(`\nall tiers in ${Math.round((performance.now() - begun) / 1_000)} s`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0 || skippedInCi) process.exitCode = 1;

function runTier(tier: string): ProxySummary {
  const report = join(folder, `${tier}.json`);
  const args = ['run', '--project', tier, '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  // The bundle that was just built: it is what ships, and it starts in a third of the time.
  const env = { ...process.env, CCCAM_TEST_PROGRAM: 'dist/main.js' };
  const { status } = spawnSync('vitest', args, { stdio: 'inherit', env });
  try {
    const result = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    const summarizeProxies = {
      passed: result['numPassedTests'] ?? 0,
      failed: result['numFailedTests'] ?? 0,
      skipped: (result['numPendingTests'] ?? 0) + (result['numTodoTests'] ?? 0),
    };
    // A file that cannot even be loaded, or an error outside of every test, fails without a failed test.
    if (status !== 0 && summarizeProxies.failed === 0) summarizeProxies.failed = 1;
    if (summarizeProxies.passed === 0 && summarizeProxies.failed === 0) summarizeProxies.failed = 1;
    console.log(`${tier}: ${summarizeProxies.passed} passed, ${summarizeProxies.failed} failed, ${summarizeProxies.skipped} skipped`);
    return summarizeProxies;
  } catch {
    console.log(`${tier}: did not report`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
