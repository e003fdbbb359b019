/** Writes every generated file, or with `--check` only says which differ from what the sources make. */
import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { customResourceDefinition } from '../src/api/v1alpha1/crd.ts';
import { CONDITION_REASONS } from '../src/api/v1alpha1/names.ts';
import { referenceMarkdown } from '../src/api/v1alpha1/reference.ts';
import { PROXY_EVENT_REASONS } from '../src/haproxy/event.ts';
import { POOL_EVENT_REASONS } from '../src/pool/pool-event.ts';
import { ERROR_CODES } from '../src/runtime/errors.ts';
import { RUN_EVENT_REASONS } from '../src/standalone/run-event.ts';
import { chartFiles } from './chart.ts';

const HEADER = '# Generated from src/api/v1alpha1 by `make generate`; do not edit.\n';

const CHART = 'charts/cccam-operator';
const crd = HEADER + stringify(customResourceDefinition(), { lineWidth: 0, aliasDuplicateObjects: false });

const generated: Readonly<Record<string, string>> = {
  'crds/cccam.dev_cccampools.yaml': crd,
  'docs/reference/cccampool.md': referenceMarkdown(),
  'docs/reference/errors.md': catalogue(
    'Error codes',
    'Every error names the field or object it is about and what to do; the code never changes its meaning.',
    'code',
    ERROR_CODES,
  ),
  'docs/reference/events.md': [
    catalogue('Events', 'Of a proxy: event lines in `run`, log lines and a metric of the proxy agent.', 'reason', PROXY_EVENT_REASONS),
    section('Of `run`', RUN_EVENT_REASONS),
    section('Of a pool in Kubernetes: Events, as `kubectl describe ccp` shows them', POOL_EVENT_REASONS),
  ].join('\n'),
  ...chartFiles(await readFile(`${CHART}/values.yaml`, 'utf8'), await readFile('config/rbac/operator.yaml', 'utf8'), crd),
};

function section(title: string, rows: Readonly<Record<string, string>>): string {
  const lines = Object.entries(rows).map(([key, meaning]) => `| \`${key}\` | ${meaning} |`);
  return [`## ${title}`, '', '| reason | meaning |', '|---|---|', ...lines, ''].join('\n');
}

function catalogue(title: string, lead: string, column: string, rows: Readonly<Record<string, string>>): string {
  const lines = Object.entries(rows).map(([key, meaning]) => `| \`${key}\` | ${meaning} |`);
  return [
    `# ${title}`,
    '',
    'Generated from the sources by `make generate`; do not edit.',
    '',
    lead,
    '',
    `| ${column} | meaning |`,
    '|---|---|',
    ...lines,
    '',
  ].join('\n');
}

const check = process.argv.includes('--check');
let stale = 0;
for (const [path, text] of Object.entries(generated)) {
  const found = await readFile(path, 'utf8').catch(() => '');
  if (found === text) continue;
  stale += 1;
  if (check) console.error(`${path} is not what the sources make: run make generate`);
  else await writeFile(path, text);
}
console.log(
  `${Object.keys(generated).length} generated files, ${stale} ${check ? 'stale' : 'written'}; ${Object.keys(CONDITION_REASONS).length} condition reasons`,
);
if (check && stale > 0) process.exitCode = 1;
