/** Reporter of vitest that writes the names of tests that needed a retry and their first error, one a line, to the file that CCCAM_RETRIES names. */
import { appendFileSync } from 'node:fs';
import type { Reporter, TestCase } from 'vitest/node';

const file = process.env['CCCAM_RETRIES'];

class RetryReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const retries = test.diagnostic()?.retryCount ?? 0;
    if (file === undefined || retries === 0) return;
    const why = (test.result().errors?.[0]?.message ?? '').replace(/\s+/g, ' ');
    appendFileSync(file, `${test.project.name}: ${test.module.relativeModuleId} > ${test.fullName}: ${why.slice(0, 400)}\n`);
  }
}

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter by its default export
export default RetryReporter;
