/** A kind of object that the API server holds. */
export interface ResourceType {
  /** `v1`, or `<group>/<version>`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The name in paths, such as `deployments`. */
  readonly plural: string;
}

/** Standard metadata, as far as a controller reads it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

/** An entry of `metadata.ownerReferences`. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Names are not longer, and neither are uids (Kubernetes: 253); a reference to an owner may hold anything. */
const NAME_LENGTH = 253;

/** What controls an object, or undefined: by a name or a uid that is longer than any, nothing is controlled. */
export function controllerOf({ ownerReferences }: ObjectMeta, kind?: string): Pick<OwnerReference, 'name' | 'uid'> | undefined {
  const found = ownerReferences?.find((each) => each.controller === true && (kind === undefined || each.kind === kind));
  if (found === undefined || found.name.length > NAME_LENGTH || found.uid.length > NAME_LENGTH) return undefined;
  return { name: found.name, uid: found.uid };
}

/** Any object of the API, as plain JSON: what a model of it would not know stays in it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Names one object. The namespace of an object without one is ''. */
export interface ObjectRef {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name`, or the name alone: how stores and queues speak of an object. */
export function objectKey(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** Path of a collection; the namespace '' stands for all of them, or for a kind that has none. */
export function collectionPath(type: ResourceType, namespace: string): string {
  const root = type.apiVersion.includes('/') ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  return namespace === '' ? `${root}/${type.plural}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${type.plural}`;
}

/** Path of one object, or of a part of it such as `status`. */
export function objectPath(ref: ObjectRef, subresource?: string): string {
  const path = `${collectionPath(ref.type, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
