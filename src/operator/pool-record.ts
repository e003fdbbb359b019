import { PAUSED_ANNOTATION, type ParsedPool, PoolInvalidError, type PoolStatus, parsePool } from '../api/v1alpha1/index.ts';
import { type KubeObject, objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import type { PoolReading } from '../pool/world.ts';

/** A pool as it stands, understood or not. */
export interface PoolRecord extends Stored {
  readonly generation: number;
  readonly paused: boolean;
  readonly ending: boolean;
  readonly reading: Understanding;
  readonly status: PoolStatus | null;
}

/** A reading without what a refused pool falls back to: that is saved elsewhere. */
export type Understanding = Extract<PoolReading, { kind: 'accepted' }> | Omit<Extract<PoolReading, { kind: 'refused' }>, 'lastGood'>;

/** Reads pools as they come. A pool is understood once per generation: its status changes far more often than its spec. */
export class PoolReader {
  readonly #known = new Map<string, { readonly uid: string; readonly generation: number; readonly reading: Understanding }>();

  /** Reduces a pool to what is needed of it. */
  read(object: KubeObject): PoolRecord {
    const { name, namespace = '', uid = '', resourceVersion = '', generation = 0, annotations, deletionTimestamp } = object.metadata;
    return {
      name,
      namespace,
      uid,
      resourceVersion,
      generation,
      paused: annotations?.[PAUSED_ANNOTATION] === 'true',
      ending: deletionTimestamp !== undefined,
      reading: this.#reading(object, objectKey(namespace, name), uid, generation),
      status: (object['status'] as PoolStatus | undefined) ?? null,
    };
  }

  /** Forgets a pool that is gone. */
  forget(namespace: string, name: string): void {
    this.#known.delete(objectKey(namespace, name));
  }

  #reading(object: KubeObject, key: string, uid: string, generation: number): Understanding {
    const known = this.#known.get(key);
    if (known !== undefined && known.uid === uid && known.generation === generation) return known.reading;
    const reading = understand(object);
    this.#known.set(key, { uid, generation, reading });
    return reading;
  }
}

/** Reads a pool without its status: whatever stands there was written by us or does not matter. */
export function understand(object: { readonly [field: string]: unknown }): Understanding {
  const { status: _, ...data } = object;
  try {
    const { pool, warnings }: ParsedPool = parsePool(data, 'cluster');
    return { kind: 'accepted', pool, spec: withoutTemplates(data['spec']), warnings };
  } catch (thrown) {
    if (thrown instanceof PoolInvalidError) return { kind: 'refused', issues: thrown.issues };
    // Nested so deep that it cannot even be walked: one pool must not keep the operator from all others.
    return { kind: 'refused', issues: [{ path: ['spec'], message: 'expected an object that can be read' }] };
  }
}

/** Pod templates may hold secrets, and Deployments hold them already: only that there is one is kept. */
function withoutTemplates(spec: unknown): unknown {
  return JSON.parse(JSON.stringify(spec, (key, value: unknown) => (key === 'podTemplate' ? {} : value)));
}
