import { describe, expect, it } from 'vitest';
import { pathText } from './issue.ts';
import { parsePool } from './parse.ts';
import { sizeIssues } from './pool-size.ts';

const EXTERNAL = { name: 'x', external: { address: '192.0.2.1' } };

function issues(spec: object): string[] {
  return [...sizeIssues({ spec })].map(({ message, path }) => `${pathText(path)}: ${message}`);
}

function env(bytes: number): object {
  return {
    spec: { containers: [{ env: Array.from({ length: bytes / 100 }, (_, index) => ({ name: `N${index}`, value: 'x'.repeat(70) })) }] },
  };
}

function nested(levels: number): object {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

describe('sizeIssues', () => {
  it('lets through what people write', () => {
    const backends = Array.from({ length: 128 }, (_, index) => ({ name: `b${index}`, replicas: 100, podTemplate: env(1_000) }));
    expect(issues({ backends, podTemplate: env(50_000), proxy: { affinity: nested(64) } })).toEqual([]);
  });

  it.each([
    ['the pool’s template', 'spec.podTemplate', { podTemplate: env(90_000) }],
    ['a template of a backend', 'spec.backends[1].podTemplate', { backends: [EXTERNAL, { name: 'b', podTemplate: env(90_000) }] }],
    [
      'the annotations of the Service',
      'spec.proxy.service.annotations',
      { proxy: { service: { annotations: { a: 'x'.repeat(80_000) } } } },
    ],
    ['the tolerations', 'spec.proxy.tolerations', { proxy: { tolerations: [{ key: 'x'.repeat(80_000) }] } }],
  ])('names the part that is too large: %s', (_what, path, spec) => {
    expect(issues(spec)).toEqual([
      expect.stringMatching(/: expected at most 64 KiB, found \d+ KiB: take out what the pool does not need$/),
    ]);
    expect(issues(spec)[0]).toContain(`${path}: `);
  });

  it('refuses a pool whose parts are too large together', () => {
    const backends = Array.from({ length: 128 }, (_, index) => ({ name: `b${index}`, podTemplate: env(4_000) }));
    expect(issues({ backends })).toEqual([expect.stringMatching(/^spec: expected at most 256 KiB, found \d+ KiB/)]);
  });

  it('counts levels, and is asked before anything that could not count them', () => {
    expect(issues({ proxy: { affinity: nested(65) } })).toEqual([
      'spec.proxy.affinity: expected at most 64 levels of fields below each other, found 65: flatten it',
    ]);
    let list: unknown[] = [];
    for (let level = 0; level < 50_000; level += 1) list = [list];
    const pool = { apiVersion: 'cccam.dev/v1alpha1', kind: 'CccamPool', metadata: { name: 'p' }, spec: { backends: list } };
    expect(() => parsePool(pool, 'standalone')).toThrow('found 10000 or more: flatten it');
  });
});
