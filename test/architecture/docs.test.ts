import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONDITION_REASONS } from '../../src/api/v1alpha1/names.ts';
import { PROXY_EVENT_REASONS } from '../../src/haproxy/event.ts';
import { POOL_EVENT_REASONS } from '../../src/pool/pool-event.ts';
import { ERROR_CODES } from '../../src/runtime/errors.ts';
import { RUN_EVENT_REASONS } from '../../src/standalone/run-event.ts';
import { exportedMetrics } from '../fakes/exported-metrics.ts';
import { ACCIDENTS } from '../haproxy/accidents.ts';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...(await readdir('docs', { recursive: true })).filter((path) => path.endsWith('.md')).map((path) => join('docs', path)),
];

describe('documentation', () => {
  it.each(pages)('%s links only to what is there', async (page) => {
    const text = await readFile(page, 'utf8');
    for (const match of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      await expect(access(join(dirname(page), match[1] ?? '')), `${page} -> ${match[1]}`).resolves.toBeUndefined();
    }
  });

  it.each(pages)('%s names only files that are there', async (page) => {
    const text = await readFile(page, 'utf8');
    for (const match of text.matchAll(/`((?:src|test|scripts|config)\/[A-Za-z0-9_./-]+\.(?:ts|sh|yaml))`/g)) {
      await expect(access(match[1] ?? ''), `${page} -> ${match[1]}`).resolves.toBeUndefined();
    }
  });

  it('lists every error code, event and reason', async () => {
    const all = (await Promise.all(['errors', 'events', 'cccampool'].map((name) => readFile(`docs/reference/${name}.md`, 'utf8')))).join(
      '\n',
    );
    for (const key of [
      ...Object.keys(ERROR_CODES),
      ...Object.keys(PROXY_EVENT_REASONS),
      ...Object.keys(RUN_EVENT_REASONS),
      ...Object.keys(CONDITION_REASONS),
      ...Object.keys(POOL_EVENT_REASONS),
    ]) {
      expect(all).toContain(`| \`${key}\` |`);
    }
  });

  it('lists no code, event or reason that nothing uses', async () => {
    const sources = (await readdir('src', { recursive: true })).filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
    const text = (await Promise.all(sources.map((path) => readFile(join('src', path), 'utf8')))).join('\n');
    for (const key of [ERROR_CODES, PROXY_EVENT_REASONS, RUN_EVENT_REASONS, POOL_EVENT_REASONS].flatMap(Object.keys))
      expect(text, key).toContain(`'${key}'`);
  });

  it.each(['README.md', 'docs/operations/failure-modes.md'])('%s tells what every accident of the tests costs', async (page) => {
    const rows = [...(await readFile(page, 'utf8')).matchAll(/^\| ([^|]+) \| \d+ \/ \d+ \| \d+ \/ \d+ \|$/gm)].map((match) => match[1]);
    expect(rows).toEqual(ACCIDENTS.map(({ name }) => name));
  });

  it('lists every metric with the values of its labels, and none that is not there', async () => {
    const text = await readFile('docs/reference/observations.md', 'utf8');
    const listed = new Set([...text.matchAll(/`(cccam_[a-z_]+)/g)].map((match) => match[1]));
    const metrics = (await exportedMetrics()).filter(({ name }) => name.startsWith('cccam_'));
    expect([...listed].sort()).toEqual(metrics.map(({ name }) => name).sort());
    for (const { labelValues, name } of metrics) {
      const row = text.split('\n').find((line) => line.startsWith(`| \`${name}`)) ?? '';
      for (const value of labelValues) expect(row, name).toContain(`\`${value}\``);
    }
  });

  it('follows the conventions of Prometheus: counters end in _total, label values are in snake_case', async () => {
    for (const { labelValues, name, type } of (await exportedMetrics()).filter((metric) => metric.name.startsWith('cccam_'))) {
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      for (const value of labelValues) expect(value, name).toMatch(/^[a-z0-9_]+$/);
    }
  });
});
