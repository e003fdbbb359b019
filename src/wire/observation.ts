import * as z from 'zod/mini';
import { HEALTH_CAUSES, HEALTH_STATES } from '../haproxy/health/health-state.ts';
import type { ProxyObservation, ServerObservation } from '../haproxy/observation.ts';
import type { StreamLimits } from '../runtime/stream-limits.ts';

/** Path of the stream that a proxy-agent and `run` serve. */
export const OBSERVATIONS_PATH = '/v1/observations';

/** A heartbeat comes this often, in milliseconds, and counts that only moved no more often. */
export const HEARTBEAT_MS = 10_000;

/**
 * Servers that an agent may report of a pool that has so many: those that have just left it and those that are new among them, and a few in
 * any case, because a proxy may be ahead of what its reader knows.
 */
export function mostServers(servers: number): number {
  return 2 * servers + 64;
}

/**
 * What one agent may send whose pool has so many servers: a snapshot of it at once, a few times in a row, and then each server about once a
 * second, where ten seconds are usual.
 */
export function observationLimits(servers: number): StreamLimits {
  const most = mostServers(servers);
  return {
    lineBytes: 16_384,
    bytes: { perSecond: 512 * most, burst: 3 * 512 * most },
    lines: { perSecond: most, burst: 4 * most },
    silenceMs: 25_000,
  };
}

/** Lines of the stream: a snapshot, `synced`, then changes. */
export type ObservationLine =
  | ({ readonly kind: 'proxy' } & Omit<ProxyObservation, 'servers'>)
  | ({ readonly kind: 'server' } & ServerObservation)
  | { readonly kind: 'gone'; readonly name: string }
  /** Ends the snapshot. */
  | { readonly kind: 'synced' }
  /** Nothing has changed; the connection lives. */
  | { readonly kind: 'heartbeat' };

const sessions = z.int().check(z.minimum(0), z.maximum(10_000_000));
const count = z.int().check(z.minimum(0));
const serverName = z.string().check(z.maxLength(253));
const code = z.string().check(z.maxLength(64), z.regex(/^[A-Z0-9_]+$/));

const line = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('proxy'),
    configRevision: z.nullable(z.string().check(z.maxLength(64))),
    synced: z.boolean(),
    error: z.nullable(code),
    localError: z.nullable(code),
    panic: z.boolean(),
    refused: z.object({ lately: z.object({ client: count, full: count }) }),
    clients: z.object({ addresses: sessions, most: sessions }),
    localPorts: z.object({ taken: count, of: count }),
    maxConnections: sessions,
  }),
  z.object({
    kind: z.literal('server'),
    name: serverName,
    admin: z.enum(['ready', 'drain', 'maint']),
    inRotation: z.boolean(),
    maxConnections: sessions,
    sessionsInOldWorkers: sessions,
    sessions,
    counted: z.boolean(),
    health: z.nullable(z.enum(HEALTH_STATES)),
    cause: z.nullable(z.enum(HEALTH_CAUSES)),
    learnedLimit: z.nullable(sessions),
    limitIsSure: z.boolean(),
  }),
  z.object({ kind: z.literal('gone'), name: serverName }),
  z.object({ kind: z.literal('synced') }),
  z.object({ kind: z.literal('heartbeat') }),
]);

/** A line as far as the operator reads it. Unknown fields are ignored. */
export type ReadObservationLine = z.output<typeof line>;

/** Reads a line. @throws SyntaxError or z.core.$ZodError for anything else */
export function readObservationLine(text: string): ReadObservationLine {
  return line.parse(JSON.parse(text));
}
