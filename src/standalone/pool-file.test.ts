import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { poolObject } from '../../test/fakes/pools.ts';
import { type FileReading, parsePoolFile as parse } from './pool-file.ts';
import { readPoolFile } from './pool-text.ts';

/** On a machine that has no address at all. */
function parsePoolFile(text: string): FileReading {
  return parse(text, () => false);
}

describe('parsePoolFile', () => {
  it('reads YAML and JSON alike', () => {
    expect(parsePoolFile(stringify(poolObject())).kind).toBe('pool');
    expect(parsePoolFile(JSON.stringify(poolObject())).kind).toBe('pool');
  });

  it('names the line of every mistake, or of the field around what is missing', () => {
    const text =
      'apiVersion: cccam.dev/v1alpha1\nkind: CccamPool\nmetadata: {name: x}\nspec:\n  port: 0\n  backends:\n  - name: a\n    external: {}\n';
    const reading = parsePoolFile(text);
    expect(reading.kind === 'refused' ? reading.issues.map((issue) => [issue.line, issue.field]) : []).toEqual([
      [5, 'spec.port'],
      [8, 'spec.backends[0].external.address'],
    ]);
  });

  it.each([
    ['broken YAML', 'spec: [}', 1],
    ['a key twice', 'kind: CccamPool\nkind: CccamPool\n', 2],
    ['a bomb of aliases', `a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n`, 1],
    ['two documents', `${stringify(poolObject())}---\n${stringify(poolObject())}`, 0],
    ['nothing', '', 1],
  ])('refuses %s', (_what, text, line) => {
    const reading = parsePoolFile(text);
    expect(reading.kind).toBe('refused');
    if (line > 0 && reading.kind === 'refused') expect(reading.issues[0]?.line).toBe(line);
  });

  it('warns at the line where it matters', () => {
    const reading = parsePoolFile(stringify(poolObject({ timeouts: { idle: '2m' } })));
    expect(reading.kind === 'pool' ? reading.warnings.map((issue) => issue.field) : []).toEqual(['spec.timeouts.idle']);
  });
});

describe('readPoolFile', () => {
  it('says so when there is no such file', async () => {
    await expect(readPoolFile('/nowhere/pool.yaml')).rejects.toMatchObject({ code: 'CCP_POOL_FILE_UNREADABLE' });
  });
});
