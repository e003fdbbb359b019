import * as z from 'zod/mini';
import { fittingMaxConnections } from '../haproxy/file-limit.ts';
import type { ProxyModel } from '../haproxy/model.ts';
import { renderConfig } from '../haproxy/render.ts';
import { wishName } from '../haproxy/wish.ts';
import { CccamError } from '../runtime/errors.ts';
import type { BackendAgentAddress } from './backend-link.ts';

const count = z.int().check(z.minimum(0));
const text = z.string().check(z.maxLength(253));

/** What the ConfigMap asks for. The renderer checks every value again; this only makes sure of the shape. */
const wish = z.object({
  structure: z.object({
    bind: z.object({ address: text, port: count }),
    maxConnections: count,
    algorithm: z.enum(['leastconn', 'roundrobin', 'source', 'random']),
    stickinessMs: z.nullable(count),
    check: z.object({
      probe: z.enum(['greeting', 'connect']),
      intervalMs: count,
      fastIntervalMs: count,
      timeoutMs: count,
      fall: count,
      rise: count,
      closeHungSessions: z.boolean(),
    }),
    connectMs: count,
    idleMs: count,
    perClient: z.object({ connections: z.nullable(count), newPer10s: z.nullable(count) }),
    proxyProtocolFrom: z.array(text),
  }),
  servers: z.array(
    z.object({
      id: count,
      name: text,
      address: text,
      port: count,
      weight: count,
      maxConnections: count,
      backup: z.boolean(),
      passive: z.boolean(),
      state: z.enum(['ready', 'drain']),
      closeAfter: z.nullable(z.number()),
    }),
  ),
  closePerSecond: count,
  shares: z.optional(z.array(z.object({ proxy: text, limits: z.array(z.tuple([count, count])) }))),
  ends: z.optional(z.array(z.object({ proxy: text, closeAfter: z.number() }))),
  agents: z.optional(
    z.array(
      z.object({
        server: text,
        port: z.int().check(z.minimum(1), z.maximum(65_535)),
        key: z.optional(z.string().check(z.regex(/^[0-9a-f]{32}$/))),
      }),
    ),
  ),
});

/** What a pod knows itself by is its name, cut to what a host name may have. */
const HOST_NAME_MAX = 63;

/** What is this proxy's own: the others have other addresses and folders. */
export interface AgentPlace {
  /** Name of this pod, as far as it is known here. */
  readonly proxy: string;
  readonly bindAddress: string;
  readonly sockets: ProxyModel['structure']['sockets'];
  /** Open files that HAProxy may have. */
  readonly fileLimit: number;
}

/** What the ConfigMap asks for, understood. */
export interface Wish {
  /** Told back in observations. */
  readonly name: string;
  readonly model: ProxyModel;
  /** Servers that have an agent, and where it is. */
  readonly agents: ReadonlyMap<string, BackendAgentAddress>;
  /** When proxies close who is left that are given less time to end, by pod; in milliseconds since the epoch. */
  readonly ends: ReadonlyMap<string, number>;
}

/**
 * Reads what the ConfigMap asks for.
 *
 * A proxy whose limit of open files is too low for what is asked holds fewer sessions, and its observations say how many.
 *
 * @throws CccamError CCP_WISH_UNREADABLE, CCP_CONFIG_UNSAFE for a value outside of its grammar, or CCP_FILE_LIMIT where not even one fits
 */
export function readWish(wished: string | undefined, place: AgentPlace): Wish {
  const result = wish.safeParse(wished === undefined ? undefined : parsed(wished));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new CccamError('CCP_WISH_UNREADABLE', {
      subject: `servers.json ${issue?.path.join('.') ?? ''}`.trim(),
      message: issue?.message ?? 'it is empty',
      remedy: 'The last one that was understood goes on. Do the operator and this agent have the same version?',
    });
  }
  const { structure, agents = [], ends = [], servers, shares = [], ...rest } = result.data;
  const share = new Map(shares.find(({ proxy }) => proxy.slice(0, HOST_NAME_MAX) === place.proxy)?.limits);
  const maxConnections = fittingMaxConnections(structure.maxConnections, false, place.fileLimit);
  const model = {
    ...rest,
    servers: servers.map((server) => ({ ...server, maxConnections: share.get(server.id) ?? server.maxConnections })),
    door: 'open' as const,
    structure: {
      ...structure,
      maxConnections,
      bind: { ...structure.bind, address: place.bindAddress },
      alsoBind: [],
      sockets: place.sockets,
      user: null,
    },
  };
  // Rendered once before it counts: a value outside of its grammar must be refused here, while the last wish still stands.
  renderConfig(
    model.structure,
    model.servers.map((server) => ({ ...server, maxConnections: Math.max(1, server.maxConnections), inService: false })),
  );
  const addresses = new Map(model.servers.map(({ name, address }) => [name, address]));
  return {
    name: wishName(wished ?? ''),
    model,
    ends: new Map(ends.map(({ closeAfter, proxy }) => [proxy, closeAfter])),
    agents: new Map(
      agents.flatMap(({ server, port, key }) => {
        const address = addresses.get(server);
        return address === undefined || key === undefined ? [] : [[server, { address, port, key }]];
      }),
    ),
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // refused as a whole, like any other wrong shape
  }
}
