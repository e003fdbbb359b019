import type {
  V1NetworkPolicy,
  V1NetworkPolicyIngressRule,
  V1NetworkPolicyPeer,
  V1NetworkPolicySpec,
  V1Service,
  V1ServiceSpec,
} from '@kubernetes/client-node';
import { durationMs, type PoolSpec, PROXY_AGENT, PROXY_PORT } from '../../api/v1alpha1/index.ts';
import type { Child, ChildOf } from '../child.ts';
import { childMetadata, type PoolIdentity, proxyName, selector } from './identity.ts';
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

/** Who may reach the proxies: clients their port, the operator and the monitoring the agent's. */
export function networkPolicy(pool: PoolIdentity, settings: ClusterSettings): Child {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    spec: {
      podSelector: { matchLabels: selector(pool, 'proxy') },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ protocol: 'TCP', port: PROXY_PORT }] },
        // No peers means no one; an empty list would mean everyone.
        ...(settings.agentPeers.length === 0 ? [] : [agentRule(settings)]),
      ],
    },
  } satisfies ChildOf<'NetworkPolicy', NetworkPolicy>;
}

function agentRule(settings: ClusterSettings): IngressRule {
  return {
    from: settings.agentPeers.map((namespace) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } })),
    ports: [{ protocol: 'TCP', port: PROXY_AGENT.port }],
  };
}
