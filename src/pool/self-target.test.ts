import { describe, expect, it } from 'vitest';
import { aBackend, aPool } from '../../test/fakes/pools.ts';
import { selfTargets, withoutSelfTargets } from './self-target.ts';

const pool = aPool({ backends: [aBackend('self', '192.0.2.1', { port: 12_000 }), aBackend('rack', '192.0.2.1', { port: 12_001 })] });
const isOwn = (address: string, port: number): boolean => address === '192.0.2.1' && port === 12_000;

describe('the pool as a server of its own', () => {
  it('is refused where it stands, with what to do; another port of the same address is a server', () => {
    expect(selfTargets(pool.spec, isOwn)).toEqual([
      {
        path: ['spec', 'backends', 0, 'external', 'address'],
        message: expect.stringMatching(/192\.0\.2\.1 port 12000.*write the server's own/),
      },
    ]);
  });

  it('is left out where the others can serve, and nothing is left where it was the only one', () => {
    expect(withoutSelfTargets(pool, isOwn)?.spec.backends.map(({ name }) => name)).toEqual(['rack']);
    expect(withoutSelfTargets(pool, () => true)).toBeNull();
  });
});
