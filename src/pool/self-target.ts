import type { CccamPool, Issue, PoolSpec } from '../api/v1alpha1/index.ts';

/** Whether clients of the pool itself are served at an address and port. */
export type IsOwn = (address: string, port: number) => boolean;

/** Servers of a pool that are the pool itself: each client would be handed on in a circle until nothing is left. */
export function selfTargets({ backends }: PoolSpec, isOwn: IsOwn): Issue[] {
  return backends.flatMap(({ external, port }, index) => {
    if (external === undefined || !isOwn(external.address, port)) return [];
    const path = ['spec', 'backends', index, 'external', 'address'];
    const message = `expected the address of a server, found ${external.address} port ${port}, where clients of this pool connect: write the server's own address and port`;
    return [{ path, message }];
  });
}

/** A pool without the servers that are itself, or null where no Active server is left. */
export function withoutSelfTargets(pool: CccamPool, isOwn: IsOwn): CccamPool | null {
  const backends = pool.spec.backends.filter(({ external, port }) => external === undefined || !isOwn(external.address, port));
  return backends.some(({ role }) => role === 'Active') ? { ...pool, spec: { ...pool.spec, backends } } : null;
}
