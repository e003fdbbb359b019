import * as z from 'zod/mini';
import { listItems } from '../runtime/json-text.ts';
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

/** Servers of one pool that are saved: twice as many as a spec may have, for while all of them are replaced. */
export const MOST_SAVED = 8_000;
/** Text of one server, with its shares of twenty proxies. */
const LONGEST_SERVER = 16_384;

type Read = z.output<typeof savedServer>;

/** A server that was read, without the fields that were not there. */
export type SavedServer = Omit<Read, 'pod' | 'containersNotReady' | 'shares'> & {
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly containersNotReady?: true;
  readonly shares?: Readonly<Record<string, number>>;
};

/** The servers of a list, given as text; null unless every one is readable, each has an id and a name of its own, and there are at most `MOST_SAVED`. */
export function readServers(list: string): SavedServer[] | null {
  const found: Read[] = [];
  const taken = new Set<string | number>();
  if (!/^\s*\[/.test(list)) return null;
  // One after the other: a list of a million objects would be a hundred times as large as its text.
  for (const item of listItems(list)) {
    const { data, success } = savedServer.safeParse(item.length > LONGEST_SERVER ? null : JSON.parse(item));
    if (!success || taken.has(data.id) || taken.has(data.name) || found.length >= MOST_SAVED) return null;
    found.push(data);
    taken.add(data.id).add(data.name);
  }
  return found.map(withoutMissing);
}

/**
 * The servers of a list of which not everything may be readable.
 *
 * @returns those that are, each id and each name once, and how many are not
 */
export function readableServers(list: readonly unknown[]): { readonly servers: SavedServer[]; readonly dropped: number } {
  const found: Read[] = [];
  const taken = new Set<string | number>();
  for (const each of list) {
    const { data, success } = savedServer.safeParse(each);
    if (!success || taken.has(data.id) || taken.has(data.name) || found.length >= MOST_SAVED) continue;
    found.push(data);
    taken.add(data.id).add(data.name);
  }
  return { servers: found.map(withoutMissing), dropped: list.length - found.length };
}

function isCanonical(text: string): boolean {
  const reading = readAddress(text, { loopback: true });
  return reading.kind === 'address' && reading.canonical === text;
}

function withoutMissing({ pod, containersNotReady, shares, ...server }: Read): SavedServer {
  return {
    ...server,
    ...(pod === undefined ? {} : { pod }),
    ...(containersNotReady === undefined ? {} : { containersNotReady }),
    ...(shares === undefined ? {} : { shares }),
  };
}
