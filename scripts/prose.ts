/** Finds phrases in sources and documentation that read as translated or belong to a private vocabulary: `node scripts/prose.ts`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What to look for, and what to write instead. */
const PHRASES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b(nobody|somebody|whoever)\b/i, 'name it: no client, no session, another process, a user who'],
  [/\bof before\b/i, 'from before, the previous, the last'],
  [/\bwho (is|are) left\b/i, 'the remaining sessions'],
  [/\banew\b/i, 'again'],
  [/\bthe day when\b/i, 'in case'],
  [/\bis no failure\b/i, 'is not a failure'],
  [/\bputs? up with\b/i, 'tolerates'],
  [/\b(goes|go|going) on serving\b|\bserves? on\b/i, 'stays active, keeps serving'],
  [/\btold (no|of as)\b/i, 'refused, reported as'],
  [/\bmakes it so\b/i, 'applies it'],
  [/\bclock that never jumps\b/i, 'the monotonic clock'],
  [/\bin force\b/i, 'active, effective'],
  [/\bturn(s|ed)? (them |clients |everybody )?away\b/i, 'refuse'],
  [/\blook(s|ed)? after\b/i, 'manage, reconcile'],
  [/\bmakes? no sense\b/i, 'is invalid'],
  [/\bat the most\b/i, 'at most'],
  [/\bwish(es)?\b/i, 'config, what is wanted'],
  [/\bhas come to\b(?! (from|or))/i, 'result'],
];

/** Texts that people read. Decisions and the changelog speak of what was; of tests the names are read. */
const FOLDERS = [
  'src',
  'test',
  'scripts',
  'charts',
  'config',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'Makefile',
  'Dockerfile',
];
const EXEMPT = /^docs\/adr\/|^scripts\/prose\.ts$|^src\/wire\/samples\//;

const TEST = /^test\/|\.test\.ts$/;
const TEST_NAME = /\b(it|describe)(\.each\(.*\))?\('|^\s*\](\s*as const)?\)\('/;

let found = 0;
for (const path of execFileSync('git', ['ls-files', ...FOLDERS], { encoding: 'utf8' })
  .trim()
  .split('\n')) {
  if (EXEMPT.test(path)) continue;
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (TEST.test(path) && !TEST_NAME.test(line)) continue;
    for (const [pattern, instead] of PHRASES) {
      const match = pattern.exec(line);
      if (match === null) continue;
      found += 1;
      console.log(`${path}:${index + 1} "${match[0]}": write ${instead}`);
    }
  }
}
if (found > 0) process.exitCode = 1;
console.log(`prose: ${found} phrases to rewrite`);
