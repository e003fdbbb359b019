import type {
  V1NetworkPolicy,
  V1NetworkPolicyIngressRule,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1NetworkPolicySpec,
  V1Service,
  V1ServiceSpec,
} from '@kubernetes/client-node';
import {
  BACKEND_AGENT,
  containerPorts,
  durationMs,
  type PoolSpec,
  PROXY_AGENT,
  PROXY_PORT,
  readTemplate,
} from '../../api/v1alpha1/index.ts';
import type { Child, ChildOf } from '../child.ts';
import { backendsName, type Component, childMetadata, type PoolIdentity, proxyName, selector } from './identity.ts';
import type { ClusterSettings } from './settings.ts';

/** Where clients connect. */
export function service(pool: PoolIdentity, spec: PoolSpec): Child {
  const { type, nodePort, annotations, loadBalancerClass, externalTrafficPolicy } = spec.proxy.service;
  const metadata = childMetadata(pool, pool.name, 'proxy');
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, annotations: { ...annotations } },
    spec: {
      type,
      ...affinity(spec),
      // Said, so that what others write there is taken back.
      externalIPs: [],
      publishNotReadyAddresses: false,
      // Local keeps the clients' own addresses, by which they are remembered and limited.
      ...(type === 'ClusterIP' ? {} : { externalTrafficPolicy }),
      selector: selector(pool, 'proxy'),
      ports: [
        {
          name: 'cccam',
          port: spec.port,
          targetPort: 'cccam',
          protocol: 'TCP',
          ...(nodePort === undefined || type === 'ClusterIP' ? {} : { nodePort }),
        },
      ],
      ...(loadBalancerClass === undefined || type !== 'LoadBalancer' ? {} : { loadBalancerClass }),
    },
  } satisfies ChildOf<'Service', V1Service>;
}

const LONGEST_AFFINITY_S = 86_400;

/**
 * Whether Kubernetes itself sends a client back to the same proxy. Only where asked for: some cloud providers refuse such a Service, and it
 * would never get an address.
 */
function affinity({ balance: { stickiness }, proxy }: PoolSpec): Pick<V1ServiceSpec, 'sessionAffinity' | 'sessionAffinityConfig'> {
  if (proxy.service.sessionAffinity === 'None') return { sessionAffinity: 'None' };
  const timeoutSeconds = Math.min(LONGEST_AFFINITY_S, Math.ceil(durationMs(stickiness.ttl) / 1_000));
  return { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

/** The client's types say `_from`; on the wire it is `from`. */
type IngressRule = Omit<V1NetworkPolicyIngressRule, '_from'> & { from?: V1NetworkPolicyPeer[] };
type NetworkPolicy = Omit<V1NetworkPolicy, 'spec'> & { spec: Omit<V1NetworkPolicySpec, 'ingress'> & { ingress: IngressRule[] } };

/** Who may reach what of a pool. */
export function networkPolicies(pool: PoolIdentity, spec: PoolSpec, settings: ClusterSettings): readonly Child[] {
  return [
    policy(pool, 'proxy', proxyName(pool), [
      // Clients reach the port, the operator and the monitoring the agent.
      { ports: [{ protocol: 'TCP', port: PROXY_PORT }] },
      ...agentRule(peers(settings), PROXY_AGENT.port),
    ]),
    policy(pool, 'backend', backendsName(pool), [
      // Some networks take a range for its first port alone (cilium/cilium#28684): ports that are known are named one by one.
      { ports: knownPorts(spec).map((port) => ({ protocol: 'TCP', port })) },
      // What else runs in these pods is their owner's business; the agent is reached by the proxies and the monitoring.
      { ports: everyPortBut(BACKEND_AGENT.port) },
      ...agentRule([{ podSelector: { matchLabels: selector(pool, 'proxy') } }, ...peers(settings)], BACKEND_AGENT.port),
    ]),
  ];
}

function policy(pool: PoolIdentity, component: Component, name: string, ingress: IngressRule[]): Child {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(pool, name, component),
    spec: { podSelector: { matchLabels: selector(pool, component) }, policyTypes: ['Ingress'], ingress },
  } satisfies ChildOf<'NetworkPolicy', NetworkPolicy>;
}

function peers({ agentPeers }: ClusterSettings): V1NetworkPolicyPeer[] {
  return agentPeers.map((namespace) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }));
}

/** No rule means no one; a rule with an empty list of peers would mean everyone. */
function agentRule(from: V1NetworkPolicyPeer[], port: number): IngressRule[] {
  return from.length === 0 ? [] : [{ from, ports: [{ protocol: 'TCP', port }] }];
}

/** Ports of the servers, and of whatever else their templates name. */
function knownPorts(spec: PoolSpec): number[] {
  const managed = spec.backends.filter(({ external }) => external === undefined);
  const templates = [spec.podTemplate, ...managed.map(({ podTemplate }) => podTemplate)].map(readTemplate);
  const named = templates.flatMap(({ containers, initContainers }) => [...containers, ...initContainers].flatMap(containerPorts));
  const ports = [PROXY_PORT, ...managed.map(({ port }) => port), ...named];
  return [...new Set(ports)].filter((port) => port !== BACKEND_AGENT.port).sort((a, b) => a - b);
}

function everyPortBut(port: number): V1NetworkPolicyPort[] {
  return [
    { protocol: 'TCP', port: 1, endPort: port - 1 },
    { protocol: 'TCP', port: port + 1, endPort: 65_535 },
    { protocol: 'UDP', port: 1, endPort: 65_535 },
    { protocol: 'SCTP', port: 1, endPort: 65_535 },
  ];
}
