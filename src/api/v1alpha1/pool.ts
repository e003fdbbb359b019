import * as z from 'zod';
import { label } from './grammar.ts';
import { API_VERSION, KIND } from './names.ts';
import { poolSpec } from './spec.ts';
import { poolStatus } from './status.ts';

/** Longest name of a pool: children are named `<pool>-<backend>` and must stay valid names of their own. */
export const POOL_NAME_MAX = 40;

const metadata = z
  .looseObject({
    name: label(POOL_NAME_MAX, 'Name of the pool.'),
    generation: z.int().min(0).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  })
  .meta({ description: 'Standard metadata of Kubernetes objects.' });

/** Schema of a whole object as it stands in a file or comes from the API server. */
export const cccamPool = z.strictObject({
  apiVersion: z.literal(API_VERSION, { error: `expected ${API_VERSION}` }),
  kind: z.literal(KIND, { error: `expected ${KIND}` }),
  metadata,
  spec: poolSpec,
  status: poolStatus.optional(),
});

/** A pool that follows the schema, with every default filled in. */
export type CccamPool = z.output<typeof cccamPool>;
