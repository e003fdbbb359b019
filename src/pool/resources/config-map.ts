import type { ProxyModel } from '../../haproxy/model.ts';
import { renderConfig } from '../../haproxy/render.ts';
import { type ConfigExtras, proxyConfigText } from '../../wire/proxy-config.ts';
import { CONFIG_KEYS, type SavedState, savedStateText } from '../../wire/saved-state.ts';
import type { Child } from '../child.ts';
import { childMetadata, type PoolIdentity, proxyName } from './identity.ts';

/**
 * The ConfigMap of a pool: the whole `haproxy.cfg`, what the agents are asked for, and what must survive a restart of the operator.
 *
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar
 */
export function configMap(pool: PoolIdentity, model: ProxyModel, extras: ConfigExtras, state: SavedState): Child {
  // Out of service: a HAProxy that begins with it sends nobody anywhere before its agent has heard each server greet.
  const servers = model.servers.map((server) => ({ ...server, inService: false }));
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    data: {
      [CONFIG_KEYS.config]: renderConfig(model.structure, servers),
      [CONFIG_KEYS.proxy]: proxyConfigText(model, extras),
      [CONFIG_KEYS.state]: savedStateText(state),
    },
  };
}
