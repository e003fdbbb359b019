import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { inNamespace } from './namespace.ts';
import type { WalkResult } from './scenes/walk.ts';

/** `make soak` takes many more, from seeds of chance. */
describe.each(BINARIES)('a random walk on HAProxy $version', (haproxy) => {
  it.concurrent.each([11, 12])(
    'ends as a fresh start does, and loses no session without a reason: seed %i',
    { timeout: 610_000 },
    async (seed) => {
      const { wrong, story } = await inNamespace<WalkResult>('walk', { seed, steps: 25, haproxy });
      expect(wrong, story.join('\n')).toEqual([]);
    },
  );
});
