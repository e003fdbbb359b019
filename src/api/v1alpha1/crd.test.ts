import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { customResourceDefinition, type SchemaNode, structural } from './crd.ts';
import { parsePool } from './parse.ts';

/** Every schema node below one, with its path. */
function* nodes(node: SchemaNode, path = ''): Generator<[string, SchemaNode]> {
  yield [path, node];
  for (const key of ['items', 'additionalProperties'])
    if (typeof node[key] === 'object') yield* nodes(node[key] as SchemaNode, `${path}.${key}`);
  for (const [key, child] of Object.entries((node['properties'] ?? {}) as Record<string, SchemaNode>))
    yield* nodes(child, `${path}.${key}`);
}

function root(): SchemaNode {
  const definition = customResourceDefinition() as { spec: { versions: { schema: { openAPIV3Schema: SchemaNode } }[] } };
  const version = definition.spec.versions[0];
  if (version === undefined) throw new Error('there is no version');
  return version.schema.openAPIV3Schema;
}

describe('customResourceDefinition', () => {
  it('is structural: every node has a type, and nothing that the API server refuses', () => {
    for (const [path, node] of nodes(root())) {
      expect(node['type'], path).toBeDefined();
      for (const key of ['$ref', '$schema', 'anyOf', 'oneOf', 'allOf', 'const', 'exclusiveMinimum'])
        expect(node, path).not.toHaveProperty(key);
      expect(node['additionalProperties'], path).not.toBe(false);
      expect(node['type'], path).not.toBe('number');
    }
  });

  it('uses no pattern that RE2 reads otherwise than JavaScript', () => {
    for (const [path, node] of nodes(root())) {
      const pattern = node['pattern'];
      if (typeof pattern !== 'string') continue;
      expect(pattern, path).toMatch(/^\^.*\$$/);
      expect(pattern, path).not.toMatch(/\(\?|\\[dwsb1-9]/);
    }
  });

  it('bounds every list and text that a rule runs over, so that rules stay cheap', () => {
    for (const [path, node] of nodes(root())) {
      if (node['type'] === 'array') expect(node['maxItems'], path).toBeLessThanOrEqual(256);
      if (node['type'] === 'string' && node['x-kubernetes-validations'] !== undefined)
        expect(node['maxLength'], path).toBeLessThanOrEqual(64);
    }
  });

  it('describes every field of the spec', () => {
    const spec = (root()['properties'] as Record<string, SchemaNode>)['spec'] as SchemaNode;
    for (const [path, node] of nodes(spec)) {
      const leaf = ['string', 'integer', 'boolean'].includes(String(node['type']));
      if (leaf && !path.includes('additionalProperties')) expect(node['description'], path).toBeTruthy();
    }
  });

  it('stops at what a structural schema cannot hold', () => {
    expect(() => structural(z.object({ either: z.union([z.string(), z.int()]) }))).toThrow(/anyOf|oneOf/);
  });

  it('is what is committed', async () => {
    const committed: unknown = parse(await readFile('crds/cccam.dev_cccampools.yaml', 'utf8'));
    expect(committed).toEqual(customResourceDefinition());
  });
});

describe('samples', async () => {
  const names = (await readdir('config/samples')).filter((name) => name.endsWith('.yaml'));

  it('are there, from five lines to everything', () => {
    expect(names.length).toBeGreaterThanOrEqual(5);
  });

  it.each(names)('%s is accepted', async (name) => {
    const data: unknown = parse(await readFile(`config/samples/${name}`, 'utf8'));
    const environment = name.startsWith('standalone-') ? 'standalone' : 'cluster';
    if (name.includes('later'))
      expect(() => parsePool(data, environment)).toThrow(expect.objectContaining({ code: 'CCP_POOL_UNSUPPORTED' }));
    else expect(() => parsePool(data, environment)).not.toThrow();
  });
});
