import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import type { Stored } from '../../src/kube/store.ts';
import type { Access } from './control-plane.ts';
import type { AgentOrders } from './proxy-processes.ts';

/** A pod as the kubelet keeps it. */
export interface PodObject extends Stored {
  readonly object: KubeObject;
}

/** What is asked of a pod before its container ends. */
interface Hook {
  readonly path: string;
  readonly port: number;
}

/** What the kubelet reads of a pod's spec. */
export interface PodSpec {
  readonly containers?: readonly { readonly lifecycle?: { readonly preStop?: { readonly httpGet?: Hook } } }[];
  readonly initContainers?: readonly { readonly args?: readonly string[] }[];
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly readinessGates?: readonly { readonly conditionType: string }[];
}

/** What puts a pod on a node. */
export function bindingTo(node: string, name: string): object {
  return { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { apiVersion: 'v1', kind: 'Node', name: node } };
}

/** How the kubelet reaches the API server. */
export interface KubeletAccess {
  readonly client: KubeClient;
  readonly access: Access;
  readonly signal: AbortSignal;
}

/** Writes what is mounted into a pod: exactly the rights of its own service account. */
export async function writeToken(pod: PodObject, folder: string, { access, client, signal }: KubeletAccess): Promise<void> {
  const account = (pod.object['spec'] as PodSpec).serviceAccountName ?? 'default';
  const answer = (await client.transport.request({
    method: 'POST',
    path: `/api/v1/namespaces/${pod.namespace}/serviceaccounts/${account}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3_600, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid } },
    },
    signal,
  })) as { status: { token: string } };
  await writeFile(join(folder, 'token'), answer.status.token);
  await writeFile(join(folder, 'namespace'), pod.namespace);
  await copyFile(access.caFile, join(folder, 'ca.crt'));
}

/** Calls the preStop hook of a pod's container: whether it answers or fails, the container ends after it. @param over when its grace is over */
export async function askToDrain(pod: PodObject, host: string, over: number, end: AbortSignal): Promise<void> {
  const hook = (pod.object['spec'] as PodSpec).containers?.[0]?.lifecycle?.preStop?.httpGet;
  if (hook === undefined) throw new Error(`${pod.name} has no preStop hook`);
  const signal = AbortSignal.any([end, AbortSignal.timeout(Math.max(1, Math.ceil(over - performance.now())))]);
  await fetch(`http://${host}:${hook.port}${hook.path}`, { signal }).catch(() => null);
}

/** What a proxy's pod tells its agent to do. */
export function agentOrders(object: KubeObject | undefined): AgentOrders {
  const args = (object?.['spec'] as PodSpec | undefined)?.initContainers?.[0]?.args ?? [];
  const after = (option: string): string => args[args.indexOf(option) + 1] ?? '';
  return { configMap: after('--config-map') };
}

/** Keeps a pod whole. */
export function project(object: KubeObject): PodObject {
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  return { name, namespace, uid, resourceVersion, object };
}
