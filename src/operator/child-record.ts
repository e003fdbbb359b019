import { AGENT_IMAGE_ANNOTATION, APPLIED_ANNOTATION, POOL_LABEL, TEMPLATE_ANNOTATION } from '../api/v1alpha1/index.ts';
import { controllerOf, type KubeObject, type ObjectMeta, objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import { type ChildFacts, type ChildKind, comparable, type DeploymentFacts } from '../pool/child.ts';
import { proxyName } from '../pool/resources/identity.ts';
import { digest } from '../runtime/digest.ts';
import { hostPort } from '../runtime/host-port.ts';
import { readAddress } from '../runtime/server-address.ts';
import { shortText } from '../runtime/short-text.ts';
import { unpackText } from '../wire/packed-text.ts';
import { CONFIG_KEYS, readSavedState, type SavedState } from '../wire/saved-state.ts';
import { Packed } from './packed.ts';

/** An object that the operator has made, reduced to what is needed of it. */
export interface ChildRecord extends Stored {
  readonly kind: ChildKind;
  /** Key of the pool. */
  readonly pool: string;
  facts: ChildFacts & { readonly content: Packed<Content> | null };
  /** Of a ConfigMap: what was saved in it. */
  readonly saved: Packed<SavedState> | null;
  /** Of a ConfigMap: how many servers the pool has. */
  readonly servers: number;
  /** Of a Service: where clients connect. */
  readonly address: string | null;
  /** Of a Service: every address that leads to the proxies. */
  readonly addresses: readonly string[];
}

const TEXT_LENGTH = 1_024;
const PLAIN_BYTES = 8_192;
/** Addresses of a Service that are kept. */
const MOST_ADDRESSES = 256;

/** What of an object may differ from what was applied. */
type Content = Readonly<Record<string, unknown>>;

/**
 * Reduces an object.
 *
 * @param contentBytes larger content is not kept. It is let go anyway once it was compared, and the fingerprint tells when it changes.
 */
export function childRecord(object: KubeObject, contentBytes = Number.POSITIVE_INFINITY): ChildRecord {
  const { labels, annotations, ownerReferences } = object.metadata;
  const { apiVersion: _version, kind, metadata: _metadata, status, ...body } = object;
  const content = new Packed<Content>({ ...comparable(body), labels, annotations: ours(annotations), ownerReferences });
  const outline = childOutline(object);
  const saved = kind === 'ConfigMap' && isOfProxies(object.metadata) ? readSaved(body) : null;
  return {
    ...outline,
    partial: false,
    facts: {
      ...outline.facts,
      applied: short(annotations?.[APPLIED_ANNOTATION]),
      fingerprint: digest(content.toJSON()),
      content: content.size > contentBytes ? null : content,
      deployment: kind === 'Deployment' ? deploymentFacts(object) : null,
    },
    saved,
    servers: saved?.value.roster.length ?? 0,
    address: kind === 'Service' ? serviceAddress(body['spec'], status) : null,
    addresses: kind === 'Service' ? serviceAddresses(body['spec'], status) : [],
  };
}

/** What is kept of an object that is not the pool's, or cannot be read: that it is there, and whose it is. */
export function childOutline({ kind, metadata }: KubeObject): ChildRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels } = metadata;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    partial: true,
    kind: kind as ChildKind,
    pool: objectKey(namespace, labels?.[POOL_LABEL] ?? ''),
    facts: { uid, ownerUid: controllerOf(metadata)?.uid ?? null, applied: null, fingerprint: '', content: null, deployment: null },
    saved: null,
    servers: 0,
    address: null,
    addresses: [],
  };
}

/** Only one ConfigMap of a pool holds what was saved. */
function isOfProxies({ labels, name }: ObjectMeta): boolean {
  return name === proxyName({ name: labels?.[POOL_LABEL] ?? '' });
}

/** What we write there is a digest, or the name of an image; others could write far more. */
function short(text: string | undefined): string | null {
  return text === undefined ? null : shortText(text, TEXT_LENGTH);
}

/** Annotations that we set may be any; those that controllers set while they work are not a change of the object. */
function ours(annotations: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([name]) => !name.startsWith('deployment.kubernetes.io/')));
}

interface DeploymentSpec {
  readonly paused?: boolean;
  readonly replicas?: number;
  readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };
}

function deploymentFacts(object: KubeObject): DeploymentFacts {
  const spec = (object['spec'] ?? {}) as DeploymentSpec;
  const status = (object['status'] ?? {}) as {
    observedGeneration?: number;
    updatedReplicas?: number;
    replicas?: number;
    availableReplicas?: number;
  };
  return {
    template: short(object.metadata.annotations?.[TEMPLATE_ANNOTATION]),
    agentImage: short(spec.template?.metadata?.annotations?.[AGENT_IMAGE_ANNOTATION]),
    paused: spec.paused === true,
    observed: (status.observedGeneration ?? 0) >= (object.metadata.generation ?? 0),
    wanted: spec.replicas ?? 1,
    updated: status.updatedReplicas ?? 0,
    total: status.replicas ?? 0,
    available: status.availableReplicas ?? 0,
  };
}

function serviceAddress(spec: unknown, status: unknown): string | null {
  const { clusterIP, ports } = (spec ?? {}) as { clusterIP?: string; ports?: readonly { port?: number }[] };
  const { loadBalancer } = (status ?? {}) as { loadBalancer?: { ingress?: readonly { ip?: string; hostname?: string }[] } };
  const [outside] = loadBalancer?.ingress ?? [];
  const host = outside?.ip ?? outside?.hostname ?? clusterIP;
  if (host === undefined || host === '' || host === 'None') return null;
  return hostPort(host, ports?.[0]?.port ?? 0);
}

function serviceAddresses(spec: unknown, status: unknown): string[] {
  const { clusterIPs = [], externalIPs = [] } = (spec ?? {}) as { clusterIPs?: readonly string[]; externalIPs?: readonly string[] };
  const { loadBalancer } = (status ?? {}) as { loadBalancer?: { ingress?: readonly { ip?: string }[] } };
  const outside = (loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return [...clusterIPs, ...outside, ...externalIPs].slice(0, MOST_ADDRESSES).flatMap((text) => {
    const reading = readAddress(text, { loopback: true });
    return reading.kind === 'address' ? [reading.canonical] : [];
  });
}

/** What an earlier operator has saved. Changed by hand it counts as nothing: ids are given again, and pods keep their drains' clocks. */
function readSaved(body: Readonly<Record<string, unknown>>): ChildRecord['saved'] {
  const text = unpackText(body, CONFIG_KEYS.state);
  const saved = text === undefined ? null : readSavedState(text);
  return saved === null ? null : new Packed(saved, PLAIN_BYTES);
}
