import type { V1ConfigMap } from '@kubernetes/client-node';
import type { ProxyModel } from '../../haproxy/model.ts';
import { renderConfig } from '../../haproxy/render.ts';
import { packTexts } from '../../wire/packed-text.ts';
import { CONFIG_KEYS } from '../../wire/saved-state.ts';
import type { Child, ChildOf } from '../child.ts';
import { childMetadata, type PoolIdentity, proxyName } from './identity.ts';

/** What people read stays plain for as long as it fits (some 2 000 servers); what only programs read, for as long as it is small. */
const PLAIN_BYTES = { people: 409_600, programs: 32_768 } as const;

/** Texts that are written elsewhere. */
export interface ConfigTexts {
  /** The proxy config that the agents follow. */
  readonly proxy: string;
  /** What must survive a restart of the operator. */
  readonly state: string;
}

/**
 * The ConfigMap of a pool: the whole `haproxy.cfg`, the proxy config, and what must survive a restart of the operator.
 *
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar
 */
export function configMap(pool: PoolIdentity, model: ProxyModel, { proxy, state }: ConfigTexts): Child {
  // Out of service: a HAProxy that starts with it sends no sessions anywhere before its agent has received each server's greeting.
  const servers = model.servers.map((server) => ({ ...server, inService: false }));
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: childMetadata(pool, proxyName(pool), 'proxy'),
    ...packTexts({
      [CONFIG_KEYS.config]: { text: renderConfig(model.structure, servers), plainBytes: PLAIN_BYTES.people },
      [CONFIG_KEYS.proxy]: { text: proxy, plainBytes: PLAIN_BYTES.programs },
      [CONFIG_KEYS.state]: { text: state, plainBytes: PLAIN_BYTES.programs },
    }),
  } satisfies ChildOf<'ConfigMap', V1ConfigMap>;
}
