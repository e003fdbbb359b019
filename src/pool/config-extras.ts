import { graceSeconds, type PoolSpec } from '../api/v1alpha1/index.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { agentKey } from '../wire/agent-key.ts';
import { CLOSING_RESERVE_MS } from '../wire/drain-times.ts';
import { type AgentOfServer, type ConfigExtras, type EndOfProxy, proxyHostName } from '../wire/proxy-config.ts';
import type { ClusterView } from './cluster-view.ts';
import { sharesOf } from './proxy-shares.ts';
import type { Roster } from './roster.ts';

/** What the config of a pool's proxies says beside the model. */
export function configExtras(view: ClusterView, spec: PoolSpec, model: ProxyModel, roster: Roster): ConfigExtras {
  return { agents: agentsOf(view, roster), ends: endsOf(view, spec), shares: sharesOf(model, roster, view.proxies) };
}

/** Servers with an agent beside them: the proxies keep a link to it. */
function agentsOf(view: ClusterView, roster: Roster): AgentOfServer[] {
  const ports = new Map(view.pods.map((pod) => [pod.uid, pod.agentPort]));
  const backends = new Set(roster.map((entry) => entry.backend)); // a key is a hash, and there are many servers
  const keys = new Map([...backends].map((backend) => [backend, agentKey('link to a server', view.identity.uid, backend)]));
  return roster.flatMap((entry) => {
    const port = entry.pod === undefined ? null : (ports.get(entry.pod.uid) ?? null);
    return port === null ? [] : [{ server: entry.name, port, key: keys.get(entry.backend) ?? '' }];
  });
}

/** Proxies that the kubelet will kill before their own deadline, such as those on a node that is drained in a hurry. */
function endsOf({ proxies }: ClusterView, spec: PoolSpec): EndOfProxy[] {
  const usualMs = graceSeconds(spec.drain.deadline) * 1_000;
  return proxies.flatMap(({ gracePeriodMs, name, terminatingSince }) => {
    if (terminatingSince === null || gracePeriodMs === null || gracePeriodMs >= usualMs) return [];
    return [{ proxy: proxyHostName(name), deadlineAt: terminatingSince + Math.max(0, gracePeriodMs - CLOSING_RESERVE_MS) }];
  });
}
