import { createHash, timingSafeEqual } from 'node:crypto';

/** Named when drains alone had a key; the hooks of pods that were made then send it, too, so it stays. */
export const KEY_HEADER = 'cccam-drain-key';

/** What an agent is asked for with a key. */
export type KeyUse = 'end a proxy' | 'end a server' | 'link to a server';

/**
 * Key that opens something at an agent. A user who may read the pool or its pods can know it; one who only reaches the port cannot, and so cannot
 * take a server from its clients. Each use and each backend has a key of its own: a server that answers in its agent's place is shown the
 * key of links to itself, which opens nothing else.
 *
 * @param poolUid given by the API server at random
 * @param backend name of the server's backend; '' for proxies
 */
export function agentKey(use: KeyUse, poolUid: string, backend = ''): string {
  return createHash('sha256').update(`${use} ${poolUid} ${backend}`).digest('hex').slice(0, 32);
}

/** Whether a request has the key. Takes the same time whatever is wrong with it. */
export function hasKey(headers: Readonly<Record<string, string | string[] | undefined>>, key: string): boolean {
  const given = Buffer.from(String(headers[KEY_HEADER] ?? ''));
  const wanted = Buffer.from(key);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
