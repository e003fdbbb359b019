import * as z from 'zod/mini';
import type { ProxyModel } from '../haproxy/model.ts';
import { digest } from '../runtime/digest.ts';
import { CccamError } from '../runtime/errors.ts';

/** A server with an agent beside it, and the agent's port. */
export interface AgentOfServer {
  readonly server: string;
  readonly port: number;
}

/** Key of the proxy config in a pool's ConfigMap. */
export const PROXY_CONFIG_KEY = 'proxy.json';

/**
 * Name by which a proxy knows itself: its pod's host name, which is the pod's own name cut to 63 characters. Configs name proxies by it, and
 * their agents compare with it.
 */
export function proxyHostName(pod: string): string {
  return pod.slice(0, 63);
}

/** A terminating proxy. */
export interface EndOfProxy {
  /** Name of its pod. */
  readonly proxy: string;
  /** When it closes the sessions that remain, in milliseconds since the epoch. */
  readonly deadlineAt: number;
}

/** Sessions that one proxy may hold on servers, where its share differs from the model's. */
export interface SharesOfProxy {
  /** Name of its pod. */
  readonly proxy: string;
  /** Sessions by server id. */
  readonly limits: readonly (readonly [id: number, sessions: number])[];
}

/** What a proxy config says beside the model. */
export interface ConfigExtras {
  readonly agents: readonly AgentOfServer[];
  readonly ends?: readonly EndOfProxy[];
  readonly shares?: readonly SharesOfProxy[];
}

/** The proxy config that the operator writes into the ConfigMap and every proxy-agent reads. */
export function proxyConfigText(model: ProxyModel, { agents, ends = [], shares = [] }: ConfigExtras): string {
  return JSON.stringify({ ...model, agents, ...(ends.length === 0 ? {} : { ends }), ...(shares.length === 0 ? {} : { shares }) });
}

/** Revision of a config: the same text has the same one. Agents report the revision they work on. 16 hexadecimal digits. */
export function revisionOf(text: string): string {
  return digest(text);
}

const count = z.int().check(z.minimum(0));
const text = z.string().check(z.maxLength(253));

/** Bounds and shape only: the renderer checks every value against HAProxy's grammar again. */
const proxyConfig = z.object({
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
      deadlineAt: z.nullable(z.number()),
    }),
  ),
  closePerSecond: count,
  shares: z.optional(z.array(z.object({ proxy: text, limits: z.array(z.tuple([count, count])) }))),
  ends: z.optional(z.array(z.object({ proxy: text, deadlineAt: z.number() }))),
  agents: z.optional(
    z.array(
      z.object({
        server: text,
        port: z.int().check(z.minimum(1), z.maximum(65_535)),
      }),
    ),
  ),
});

/** A proxy config as it was read; what only this proxy knows (sockets, address, user) is not in it. */
export type ProxyConfig = z.output<typeof proxyConfig>;

/**
 * Reads a proxy config. Unknown fields are ignored, so that an agent can follow an operator one version newer.
 *
 * @param source the text, or undefined where the ConfigMap has none
 * @throws CccamError CCP_PROXY_CONFIG_UNREADABLE, naming the field
 */
export function readProxyConfig(source: string | undefined): ProxyConfig {
  const result = proxyConfig.safeParse(source === undefined ? undefined : parsed(source));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new CccamError('CCP_PROXY_CONFIG_UNREADABLE', {
    subject: `${PROXY_CONFIG_KEY} ${issue?.path.join('.') ?? ''}`.trim(),
    message: issue?.message ?? 'it is empty',
    remedy: 'The last valid config stays active. Update whichever of operator and agent is older.',
  });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // refused as a whole, like any other wrong shape
  }
}
