import { fittingMaxConnections } from '../haproxy/file-limit.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { renderConfig } from '../haproxy/render.ts';
import { type ProxyConfig, proxyHostName, readProxyConfig, revisionOf } from '../wire/proxy-config.ts';
import type { BackendAgentAddress } from './backend-link.ts';

/** What only this proxy knows of itself: the others have other addresses and folders. */
export interface ProxyRuntime {
  /** Name of this pod, as far as it is known here. */
  readonly proxy: string;
  readonly bindAddress: string;
  readonly sockets: ProxyModel['structure']['sockets'];
  /** Open files that HAProxy may have. */
  readonly fileLimit: number;
}

/** The pool's config as it applies to this proxy. */
export interface AgentConfig {
  /** Reported in observations. */
  readonly revision: string;
  readonly model: ProxyModel;
  /** Servers with an agent, and where it is. */
  readonly agents: ReadonlyMap<string, BackendAgentAddress>;
  /** When terminating proxies with little time close the sessions that remain, by pod; in milliseconds since the epoch. */
  readonly ends: ReadonlyMap<string, number>;
}

/**
 * Reads the pool's config and fits it to this proxy: its share of each server's limit, its sockets, and no more sessions than its limit of
 * open files allows (its observations say how many).
 *
 * @throws CccamError CCP_PROXY_CONFIG_UNREADABLE, CCP_CONFIG_UNSAFE for a value outside of its grammar, or CCP_FILE_LIMIT where not even one
 *   session fits
 */
export function agentConfig(source: string | undefined, runtime: ProxyRuntime): AgentConfig {
  const { agents = [], ends = [], shares = [], ...config } = readProxyConfig(source);
  const share = new Map(shares.find(({ proxy }) => proxyHostName(proxy) === runtime.proxy)?.limits);
  const model = localModel(config, share, runtime);
  // Rendered once before it counts: a value outside of its grammar must be refused here, while the last valid config is still active.
  renderConfig(
    model.structure,
    model.servers.map((server) => ({ ...server, maxConnections: Math.max(1, server.maxConnections), inService: false })),
  );
  const addresses = new Map(model.servers.map(({ name, address }) => [name, address]));
  return {
    revision: revisionOf(source ?? ''),
    model,
    ends: new Map(ends.map(({ deadlineAt, proxy }) => [proxy, deadlineAt])),
    agents: new Map(
      agents.flatMap(({ server, port }) => {
        const address = addresses.get(server);
        return address === undefined ? [] : [[server, { address, port }]];
      }),
    ),
  };
}

function localModel(
  { closePerSecond, servers, structure }: Pick<ProxyConfig, 'closePerSecond' | 'servers' | 'structure'>,
  share: ReadonlyMap<number, number>,
  { bindAddress, fileLimit, sockets }: ProxyRuntime,
): ProxyModel {
  return {
    closePerSecond,
    frontend: 'open',
    servers: servers.map((server) => ({ ...server, maxConnections: share.get(server.id) ?? server.maxConnections })),
    structure: {
      ...structure,
      maxConnections: fittingMaxConnections(structure.maxConnections, false, fileLimit),
      bind: { ...structure.bind, address: bindAddress },
      alsoBind: [],
      sockets,
      user: null,
    },
  };
}
