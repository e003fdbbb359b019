import { CccamError } from '../../runtime/errors.ts';
import { readAddress, readNetwork } from '../../runtime/server-address.ts';
import { type Issue, pathText } from './issue.ts';
import { type CccamPool, cccamPool } from './pool.ts';
import { crossFieldIssues, type Environment, unsupported, warnings } from './pool-rules.ts';
import { sizeIssues } from './pool-size.ts';
import { schemaIssues } from './schema-issue.ts';

/** A pool that was understood, and what its owner should mind. */
export interface ParsedPool {
  readonly pool: CccamPool;
  readonly warnings: readonly Issue[];
}

/** The pool was refused. Carries every issue that was found, not only the first. */
export class PoolInvalidError extends CccamError {
  readonly issues: readonly Issue[];

  constructor(code: 'CCP_POOL_INVALID' | 'CCP_POOL_UNSUPPORTED', issues: readonly Issue[]) {
    const [first] = issues;
    super(code, {
      subject: first === undefined ? 'pool' : pathText(first.path),
      message: first === undefined ? 'refused' : `${first.message}${issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''}`,
      remedy: 'Correct the field. Until then the last valid pool stays active.',
    });
    this.issues = issues;
  }
}

/**
 * Reads a pool from untrusted data: its size, the schema, the rules that cross fields, and what this release can do.
 *
 * @param environment `standalone`: without Kubernetes, where loopback addresses are fine and pods cannot be made
 * @throws PoolInvalidError with every issue: `CCP_POOL_INVALID`, or `CCP_POOL_UNSUPPORTED` where the pool is right but asks for something not there yet
 */
export function parsePool(data: unknown, environment: Environment): ParsedPool {
  const large = [...sizeIssues(data)];
  if (large.length > 0) throw new PoolInvalidError('CCP_POOL_INVALID', large);
  const result = cccamPool.safeParse(data);
  if (!result.success)
    throw new PoolInvalidError(
      'CCP_POOL_INVALID',
      result.error.issues.flatMap((issue) => schemaIssues(issue, cccamPool, data)),
    );
  const pool = canonical(result.data);
  const wrong = distinct([...crossFieldIssues(pool.spec, environment)]);
  if (wrong.length > 0) throw new PoolInvalidError('CCP_POOL_INVALID', wrong);
  const early = [...unsupported(pool.spec, environment)];
  if (early.length > 0) throw new PoolInvalidError('CCP_POOL_UNSUPPORTED', early);
  return { pool, warnings: [...warnings(pool.spec, data, environment)] };
}

/** The same pool with every address in its one canonical spelling, so that equal servers are equal texts from here on. */
function canonical(pool: CccamPool): CccamPool {
  const backends = pool.spec.backends.map((backend) => {
    if (backend.external === undefined) return backend;
    const reading = readAddress(backend.external.address, { loopback: true });
    return reading.kind === 'address' ? { ...backend, external: { address: reading.canonical } } : backend;
  });
  const { proxyProtocol, ...proxy } = pool.spec.proxy;
  const trusted = proxyProtocol === undefined ? {} : { proxyProtocol: { from: proxyProtocol.from.map(canonicalNetwork) } };
  return { ...pool, spec: { ...pool.spec, backends, proxy: { ...proxy, ...trusted } } };
}

function canonicalNetwork(text: string): string {
  const reading = readNetwork(text);
  return reading.kind === 'network' ? reading.canonical : text;
}

/** A template that several backends share is wrong once. */
function distinct(issues: readonly Issue[]): Issue[] {
  return [...new Map(issues.map((issue) => [`${pathText(issue.path)} ${issue.message}`, issue])).values()];
}
