import * as z from 'zod';
import { AGENT_IMAGE_ANNOTATION, APPLIED_ANNOTATION, POOL_LABEL, TEMPLATE_ANNOTATION } from '../api/v1alpha1/index.ts';
import type { KubeObject } from '../kube/resource.ts';
import { objectKey } from '../kube/resource.ts';
import type { Stored } from '../kube/store.ts';
import { type ChildFacts, type ChildKind, contentName, type DeploymentFacts, withoutCount } from '../pool/child.ts';
import type { Roster } from '../pool/roster.ts';
import { CONFIG_KEYS } from '../pool/saved-state.ts';
import { readAddress } from '../runtime/server-address.ts';
import { Packed } from './packed.ts';

/** What an operator of before has saved. */
export interface Saved {
  readonly roster: Roster;
  readonly spec: unknown;
}

/** An object that the operator has made, reduced to what is needed of it. */
export interface ChildRecord extends Stored {
  readonly kind: ChildKind;
  /** Key of the pool. */
  readonly pool: string;
  /** Its content is let go once it was compared: the fingerprint tells when it changes. */
  facts: ChildFacts;
  /** Of a ConfigMap: what was saved in it. */
  readonly saved: Packed<Saved> | null;
  /** Of a Service: where clients connect. */
  readonly address: string | null;
  /** Of a Service: every address that leads to the proxies. */
  readonly addresses: readonly string[];
}

/** Reduces an object. */
export function childRecord(object: KubeObject): ChildRecord {
  const { name, namespace = '', uid = '', resourceVersion = '', labels, annotations, ownerReferences } = object.metadata;
  const kind = object.kind as ChildKind;
  const { apiVersion: _version, kind: _kind, metadata: _metadata, status, ...body } = object;
  const content = { ...withoutCount(body), labels, annotations: ours(annotations), ownerReferences };
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    kind,
    pool: objectKey(namespace, labels?.[POOL_LABEL] ?? ''),
    facts: {
      uid,
      ownerUid: ownerReferences?.find((reference) => reference.controller === true)?.uid ?? null,
      applied: annotations?.[APPLIED_ANNOTATION] ?? null,
      fingerprint: contentName(content),
      content,
      deployment: kind === 'Deployment' ? deploymentFacts(object) : null,
    },
    saved: kind === 'ConfigMap' ? readSaved(body['data']) : null,
    address: kind === 'Service' ? serviceAddress(body['spec'], status) : null,
    addresses: kind === 'Service' ? serviceAddresses(body['spec'], status) : [],
  };
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
    template: object.metadata.annotations?.[TEMPLATE_ANNOTATION] ?? null,
    agentImage: spec.template?.metadata?.annotations?.[AGENT_IMAGE_ANNOTATION] ?? null,
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
  return `${host.includes(':') ? `[${host}]` : host}:${ports?.[0]?.port ?? 0}`;
}

function serviceAddresses(spec: unknown, status: unknown): string[] {
  const { clusterIPs = [], externalIPs = [] } = (spec ?? {}) as { clusterIPs?: readonly string[]; externalIPs?: readonly string[] };
  const { loadBalancer } = (status ?? {}) as { loadBalancer?: { ingress?: readonly { ip?: string }[] } };
  const outside = (loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  return [...clusterIPs, ...externalIPs, ...outside].flatMap((text) => {
    const reading = readAddress(text, { loopback: true });
    return reading.kind === 'address' ? [reading.canonical] : [];
  });
}

const drain = z.union([
  z.strictObject({ kind: z.literal('active') }),
  z.strictObject({ kind: z.literal('draining'), reason: z.enum(['requested', 'removed']), since: z.number().min(0) }),
]);

const savedState = z.object({
  version: z.literal(1),
  spec: z.unknown(),
  roster: z.array(
    z.object({
      name: z.string().regex(/^[a-z0-9]([-a-z0-9.:]{0,198}[a-z0-9])?$/),
      id: z.int().min(1).max(1_000_000),
      backend: z.string().max(63),
      address: z.string().refine((text) => {
        const reading = readAddress(text, { loopback: true });
        return reading.kind === 'address' && reading.canonical === text;
      }),
      port: z.int().min(1).max(65_535),
      weight: z.int().min(0).max(256),
      maxConnections: z.int().min(1).max(1_000_000),
      role: z.enum(['Active', 'Backup']),
      drain,
      deadlineMs: z.number().min(0),
      pod: z.object({ name: z.string(), uid: z.string() }).optional(),
      containersNotReady: z.literal(true).optional(),
      shares: z.record(z.string().max(253), z.int().min(0).max(1_000_000)).optional(),
    }),
  ),
});

/** What an operator of before has saved; what cannot be read counts as nothing saved, and is written anew. */
function readSaved(data: unknown): ChildRecord['saved'] {
  const text = (data as Record<string, unknown> | undefined)?.[CONFIG_KEYS.state];
  if (typeof text !== 'string') return null;
  try {
    const { roster, spec } = savedState.parse(JSON.parse(text));
    const entries = roster.map(({ pod, containersNotReady, shares, ...entry }) => ({
      ...entry,
      ...(pod === undefined ? {} : { pod }),
      ...(containersNotReady === undefined ? {} : { containersNotReady }),
      ...(shares === undefined ? {} : { shares }),
    }));
    const isUnique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
    const fine = isUnique(entries.map((entry) => entry.id)) && isUnique(entries.map((entry) => entry.name));
    return fine ? new Packed({ roster: entries, spec }) : null;
  } catch {
    return null; // changed by hand: the ids are given anew, and pods keep their drains' clocks themselves
  }
}
