import { PAUSED_ANNOTATION, type ParsedPool, PoolInvalidError, type PoolStatus, parsePool, SPEC_SIZE } from '../api/v1alpha1/index.ts';
import { MEMBER_VALUES } from '../kube/answer.ts';
import { type KubeObject, objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import type { PoolReading } from '../pool/cluster-view.ts';
import { jsonSize } from '../runtime/json-size.ts';
import { NamespaceBudget } from './namespace-budget.ts';
import type { PoolCondition } from './operator-metrics.ts';
import { Packed } from './packed.ts';

/** A pool as it stands, understood or not. */
export interface PoolRecord extends Stored {
  readonly generation: number;
  readonly paused: boolean;
  readonly terminating: boolean;
  readonly reading: Packed<Understanding>;
  readonly status: Packed<PoolStatus> | null;
}

/** A reading without what a refused pool falls back to: that is saved elsewhere. */
export type Understanding = Extract<PoolReading, { kind: 'accepted' }> | Omit<Extract<PoolReading, { kind: 'refused' }>, 'lastGood'>;

const UNREADABLE: Understanding = {
  kind: 'refused',
  issues: [{ path: ['spec'], message: 'expected a pool that can be read, found one that cannot: simplify it' }],
};
const TOO_MANY: Understanding = {
  kind: 'refused',
  issues: [{ path: ['spec'], message: `expected at most ${MEMBER_VALUES} values, found more: take out what the pool does not need` }],
};
/** Issues of one pool that are kept: its status tells the first few. */
const KEPT_ISSUES = 20;

/** Names what is written in a pool. A server leaves out fields that its schema does not know, and then shows less under the same generation. */
interface Edition {
  readonly uid: string;
  readonly generation: number;
  readonly shownBytes: number;
}

/** What is kept of the pools of one namespace: many thousands, or some hundred of the largest. */
const NAMESPACE_BYTES = 16 * 1_048_576;
const PLAIN_BYTES = 8_192;
const NO_ROOM: Understanding = {
  kind: 'refused',
  issues: [
    {
      path: ['metadata', 'namespace'],
      message: `expected at most ${NAMESPACE_BYTES / 1_048_576} MiB of pools in one namespace: make them smaller, or delete some, and save this one again`,
    },
  ],
};

/** Reads pools as they come. A pool is understood once per generation: its status changes far more often than its spec. */
export class PoolReader {
  readonly #known = new Map<string, Edition & { readonly reading: Packed<Understanding> }>();
  readonly #budget = new NamespaceBudget(NAMESPACE_BYTES);

  /** Reduces a pool to what is needed of it. */
  read(object: KubeObject): PoolRecord {
    const { name, namespace = '', uid = '', resourceVersion = '', generation = 0, annotations, deletionTimestamp } = object.metadata;
    // With each event, so not beyond what is refused in whatever shape it is shown.
    const edition: Edition = { uid, generation, shownBytes: jsonSize(object['spec'], SPEC_SIZE).bytes };
    return {
      name,
      namespace,
      resourceVersion,
      ...edition,
      paused: annotations?.[PAUSED_ANNOTATION] === 'true',
      terminating: deletionTimestamp !== undefined,
      reading: this.#reading(object, edition),
      status: object['status'] === undefined ? null : new Packed(object['status'] as PoolStatus),
    };
  }

  /** Forgets a pool that is gone. */
  forget({ name, namespace, uid }: Pick<Stored, 'namespace' | 'name' | 'uid'>): void {
    const key = objectKey(namespace, name);
    if (this.#known.get(key)?.uid === uid) this.#known.delete(key); // and not one of the same name that is there by now
    this.#budget.release(namespace, `${name} ${uid}`);
  }

  #reading(object: KubeObject, edition: Edition): Packed<Understanding> {
    const { name, namespace = '' } = object.metadata;
    const key = objectKey(namespace, name);
    const known = this.#known.get(key);
    const isKnown = known?.uid === edition.uid && known.generation === edition.generation && known.shownBytes === edition.shownBytes;
    if (isKnown) return known.reading;
    const reading = new Packed(understand(object), PLAIN_BYTES);
    if (!this.#budget.take(namespace, `${name} ${edition.uid}`, reading.size)) {
      this.#known.delete(key); // and it is looked at again with whatever comes of it next
      return new Packed(NO_ROOM);
    }
    this.#known.set(key, { ...edition, reading });
    return reading;
  }
}

/** A pool that cannot even be looked at: its status says so, and whatever it had before stays active. */
export function unreadablePool({ metadata }: KubeObject): PoolRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', generation = 0, deletionTimestamp } = metadata;
  const [terminating, reading] = [deletionTimestamp !== undefined, new Packed(UNREADABLE)];
  return { name, namespace, uid, resourceVersion, generation, paused: false, terminating, reading, status: null };
}

/** Every condition of every pool, as its status says. */
export function* poolConditions(pools: Iterable<PoolRecord>): Generator<PoolCondition> {
  for (const { name, namespace, status } of pools) {
    for (const { status: holds, type } of status?.value.conditions ?? []) {
      yield { namespace, pool: name, condition: type, holds: holds === 'True' };
    }
  }
}

/** A pool as it stands somewhere. */
export interface PoolObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

/** Reads what a person has written of a pool, and nothing that others have added: its status and most of its metadata. */
export function understand(object: PoolObject): Understanding {
  const { apiVersion, kind, metadata } = object;
  const spec = object['spec'];
  if (spec === null) return TOO_MANY; // cut out of the answer; the schema takes no null
  const data = { apiVersion, kind, metadata: { name: metadata.name }, spec };
  try {
    const { pool, warnings }: ParsedPool = parsePool(data, 'cluster');
    return { kind: 'accepted', pool, spec: withoutTemplates(spec), warnings };
  } catch (thrown) {
    if (thrown instanceof PoolInvalidError) return { kind: 'refused', issues: thrown.issues.slice(0, KEPT_ISSUES) };
    return UNREADABLE;
  }
}

/** Pod templates may hold secrets, and Deployments hold them already: only that there is one is kept. */
function withoutTemplates(spec: unknown): unknown {
  return JSON.parse(JSON.stringify(spec, (key, value: unknown) => (key === 'podTemplate' ? {} : value)));
}
