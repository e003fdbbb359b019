import type { ProxyModel } from '../haproxy/model.ts';
import { CLOSING_RESERVE_MS } from '../wire/drain-times.ts';
import { type AgentOfServer, type ConfigExtras, type EndOfProxy, proxyHostName } from '../wire/proxy-config.ts';
import type { ClusterView } from './cluster-view.ts';
import { sharesOf } from './proxy-shares.ts';
import type { Roster } from './roster.ts';

/** What the config of a pool's proxies says beside the model. */
export function configExtras(view: ClusterView, model: ProxyModel, roster: Roster): ConfigExtras {
  return { agents: agentsOf(view, roster), ends: endsOf(view), shares: sharesOf(model, roster, view.proxies) };
}

/** Servers with an agent beside them: the proxies keep a link to it. */
function agentsOf(view: ClusterView, roster: Roster): AgentOfServer[] {
  const ports = new Map(view.pods.map((pod) => [pod.uid, pod.agentPort]));
  return roster.flatMap((entry) => {
    const port = entry.pod === undefined ? null : (ports.get(entry.pod.uid) ?? null);
    return port === null ? [] : [{ server: entry.name, port }];
  });
}

/** Proxies that end: their agents know it from the kubelet, and before their own deadline where a node is drained in a hurry. */
function endsOf({ proxies }: ClusterView): EndOfProxy[] {
  return proxies.flatMap(({ gracePeriodMs, name, terminatingSince }) => {
    if (terminatingSince === null || gracePeriodMs === null) return [];
    return [{ proxy: proxyHostName(name), deadlineAt: terminatingSince + Math.max(0, gracePeriodMs - CLOSING_RESERVE_MS) }];
  });
}
