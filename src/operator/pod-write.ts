import { isStatus } from '../kube/api-error.ts';
import type { KubeObject, ObjectRef } from '../kube/resource.ts';
import type { Pass } from './pass.ts';
import { POD } from './resources.ts';

/** Writes to a pod. Where it is gone, or another one has its name, there is nothing to write to. @throws KubeApiError */
export async function writeToPod({ tools, view }: Pass, name: string, write: (ref: ObjectRef) => Promise<KubeObject>): Promise<void> {
  try {
    const written = await write({ type: POD, namespace: view.identity.namespace, name });
    tools.watches.put({ ...written, apiVersion: POD.apiVersion, kind: POD.kind });
  } catch (thrown) {
    if (!isStatus(thrown, 404) && !isStatus(thrown, 409)) throw thrown;
  }
}
