import { describe, expect, it } from 'vitest';
import { structural } from '../../src/api/v1alpha1/crd.ts';
import { poolSpec } from '../../src/api/v1alpha1/spec.ts';
import { BINARIES } from '../support/binaries.ts';
import { until } from '../support/until.ts';
import { TestBox } from './box.ts';
import { EFFECTS, WITHOUT_EFFECT } from './fields/effects.ts';

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

/** Every field without fields of its own, such as `backends[].capacity.cores`. */
function leaves({ items, properties }: Node, path = ''): string[] {
  if (items !== undefined) return leaves(items, `${path}[]`);
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, child]) => leaves(child, path === '' ? name : `${path}.${name}`));
}

it('names every field of the schema, with its effect on HAProxy or why it has none', () => {
  expect([...Object.keys(EFFECTS), ...Object.keys(WITHOUT_EFFECT)].sort()).toEqual(leaves(structural(poolSpec)).sort());
});

describe.each(BINARIES)('changed alone in a running pool on HAProxy $version', (binary) => {
  it.concurrent.each(Object.entries(EFFECTS))('%s takes effect', { timeout: 120_000 }, async (_, effect) => {
    const box = await TestBox.create(binary, 3);
    try {
      const complete = (spec: Record<string, unknown>): Record<string, unknown> => ({ backends: box.backends(1, 2), ...spec });
      await box.save(complete(effect.base?.(box) ?? {}));
      await box.start();
      await effect.before?.(box);
      expect(await effect.seen(box)).toBe(false);
      await box.save(complete(effect.change(box)));
      await until(
        'it is seen',
        async () => await effect.seen(box),
        effect.withinMs ?? 10_000,
        () => [box.status, box.news.slice(-10)],
      );
      expect(box.events('PoolRefused')).toEqual([]);
    } finally {
      await box.dispose();
    }
  });
});
