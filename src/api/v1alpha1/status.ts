import * as z from 'zod';
import { CONDITION_TYPES } from './names.ts';

const count = () => z.int().min(0);
const time = () => z.string().max(32).meta({ format: 'date-time' });

/** One condition in the standard shape of Kubernetes. */
export const condition = z.strictObject({
  type: z.enum(CONDITION_TYPES),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().max(1_024),
  message: z.string().max(4_096),
  lastTransitionTime: time(),
  observedGeneration: count().optional(),
});

/** State of one server or, summed up, of one backend. */
export const serverStateName = z.enum([
  'Up',
  'Full',
  'Checking',
  'Joining',
  'RefusesProxy',
  'Unreachable',
  'Hung',
  'Down',
  'Draining',
  'Drained',
  'Unknown',
]);

const serverStatus = z.strictObject({
  name: z.string().max(253),
  address: z.string().max(64).optional(),
  state: serverStateName,
  sessions: count(),
  since: time().optional(),
  deadline: time().optional(),
  message: z.string().max(512).optional().meta({ description: 'Why the server is not simply up, and what to do.' }),
});

const ecmStatus = z.strictObject({ averageMs: count(), successPercent: count().max(100), samples: count() });

const backendStatus = z.strictObject({
  name: z.string().max(253),
  state: serverStateName,
  weight: count().max(256),
  sharePercent: count().max(100),
  maxConnections: count(),
  sessions: count(),
  ready: count(),
  total: count(),
  ecm: ecmStatus.optional(),
  // With a default: server-side apply of an empty list takes the field away.
  servers: z
    .array(serverStatus)
    .max(256)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
});

/** Schema of `status`: what was read back, never what was hoped for. */
export const poolStatus = z.strictObject({
  observedGeneration: count().optional(),
  conditions: z
    .array(condition)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
  address: z.string().max(300).optional(),
  sessions: count(),
  draining: count(),
  summary: z.string().max(32).meta({ description: 'Backends up and in total, such as 3/4.' }),
  backends: z
    .array(backendStatus)
    .max(256)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  proxies: z.strictObject({ desired: count(), ready: count(), synced: count() }),
});

/** The status of a pool. */
export type PoolStatus = z.output<typeof poolStatus>;
/** A condition, as Kubernetes writes it. */
export type Condition = z.output<typeof condition>;
/** The status of a backend. */
export type BackendStatus = z.output<typeof backendStatus>;
/** The status of a server. */
export type ServerStatus = z.output<typeof serverStatus>;
/** The state of a server, in one word. */
export type ServerStateName = z.output<typeof serverStateName>;
