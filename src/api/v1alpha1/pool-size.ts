import { jsonSize } from '../../runtime/json-size.ts';
import { type FieldPath, type Issue, valueAt } from './issue.ts';

/** What a whole spec may be. Every operator of the cluster keeps every pool, so one may not be as large as the API server allows. */
export const SPEC_SIZE = { depth: 80, bytes: 262_144 } as const;
/** What each part may be that is handed to Kubernetes as it is. */
const PART = { depth: 64, bytes: 65_536 } as const;

const OF_PROXY = ['resources', 'affinity', 'tolerations', 'topologySpreadConstraints', 'nodeSelector'];

/** What of a pool is too large or nested too deep, found without recursion and before anything else looks at it. */
export function* sizeIssues(data: unknown): Generator<Issue> {
  let ofParts = false;
  for (const path of parts(data)) {
    for (const issue of tooMuch(data, path, PART)) {
      ofParts = true;
      yield issue;
    }
  }
  if (!ofParts) yield* tooMuch(data, ['spec'], SPEC_SIZE);
}

function parts(data: unknown): FieldPath[] {
  const backends = valueAt(data, ['spec', 'backends']);
  const count = Array.isArray(backends) ? backends.length : 0;
  return [
    ['spec', 'podTemplate'],
    ...Array.from({ length: Math.min(count, 128) }, (_, index) => ['spec', 'backends', index, 'podTemplate']),
    ...OF_PROXY.map((field) => ['spec', 'proxy', field]),
    ['spec', 'proxy', 'service', 'annotations'],
  ];
}

function* tooMuch(data: unknown, path: FieldPath, most: typeof SPEC_SIZE | typeof PART): Generator<Issue> {
  const { bytes, depth } = jsonSize(valueAt(data, path));
  if (depth > most.depth) {
    yield { path, message: `expected at most ${most.depth} levels of fields below each other, found ${found(depth, 10_000)}: flatten it` };
  } else if (bytes > most.bytes) {
    yield { path, message: `expected at most ${kib(most.bytes)} KiB, found ${kib(bytes)} KiB: take out what the pool does not need` };
  }
}

function found(depth: number, ceiling: number): string {
  return depth >= ceiling ? `${ceiling} or more` : String(depth);
}

function kib(bytes: number): number {
  return Math.ceil(bytes / 1_024);
}
