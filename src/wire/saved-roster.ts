import * as z from 'zod/mini';
import { readAddress } from '../runtime/server-address.ts';
import { LONGEST_DRAIN_MS } from './drain-times.ts';

/** Later than any drain: what comes after it is no date any more (ECMA-262, 8.64e15 ms). */
const LAST_TIME = 8e15;

const port = z.int().check(z.minimum(1), z.maximum(65_535));
const count = z.int().check(z.minimum(0), z.maximum(1_000_000));

const drain = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('active') }),
  z.object({
    kind: z.literal('draining'),
    reason: z.enum(['requested', 'removed']),
    since: z.number().check(z.minimum(0), z.maximum(LAST_TIME)),
  }),
]);

const savedServer = z.object({
  name: z.string().check(z.regex(/^[a-z0-9]([-a-z0-9.:]{0,198}[a-z0-9])?$/)),
  id: z.int().check(z.minimum(1), z.maximum(1_000_000)),
  backend: z.string().check(z.maxLength(63)),
  address: z.string().check(z.refine(isCanonical, { error: 'expected a canonical address' })),
  port,
  weight: z.int().check(z.minimum(0), z.maximum(256)),
  maxConnections: z.int().check(z.minimum(1), z.maximum(1_000_000)),
  role: z.enum(['Active', 'Backup']),
  drain,
  deadlineMs: z.number().check(z.minimum(0), z.maximum(LONGEST_DRAIN_MS)),
  pod: z.optional(z.object({ name: z.string(), uid: z.string() })),
  containersNotReady: z.optional(z.literal(true)),
  shares: z.optional(z.record(z.string().check(z.maxLength(253)), count)),
});

/** The servers of a pool as they are saved, in a ConfigMap or in a state folder. Unknown fields are ignored. */
export const savedRoster = z.array(savedServer).check(
  z.refine((servers) => isUnique(servers.map(({ id }) => id)) && isUnique(servers.map(({ name }) => name)), {
    error: 'expected each id and each name once',
  }),
);

type Read = z.output<typeof savedServer>;

/** A server that was read, without the fields that were not there. */
export type SavedServer = Omit<Read, 'pod' | 'containersNotReady' | 'shares'> & {
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly containersNotReady?: true;
  readonly shares?: Readonly<Record<string, number>>;
};

/** The servers that were read. */
export function savedServers(servers: readonly Read[]): SavedServer[] {
  return servers.map(({ pod, containersNotReady, shares, ...server }) => ({
    ...server,
    ...(pod === undefined ? {} : { pod }),
    ...(containersNotReady === undefined ? {} : { containersNotReady }),
    ...(shares === undefined ? {} : { shares }),
  }));
}

/**
 * The servers of a list of which not everything may be readable.
 *
 * @returns those that are, each id and each name once, and how many are not
 */
export function readableServers(list: readonly unknown[]): { readonly servers: SavedServer[]; readonly dropped: number } {
  const found: Read[] = [];
  for (const each of list) {
    const { data, success } = savedServer.safeParse(each);
    if (success && !found.some(({ id, name }) => id === data.id || name === data.name)) found.push(data);
  }
  return { servers: savedServers(found), dropped: list.length - found.length };
}

function isCanonical(text: string): boolean {
  const reading = readAddress(text, { loopback: true });
  return reading.kind === 'address' && reading.canonical === text;
}

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}
