import { createHash, timingSafeEqual } from 'node:crypto';

export const KEY_HEADER = 'cccam-drain-key';

/**
 * What an agent must be asked with for a drain or a link. Whoever may read the pool or its pods can know it; whoever only reaches the port
 * cannot, and so cannot take a server from its clients.
 *
 * @param poolUid given by the API server at random
 */
export function drainKey(poolUid: string): string {
  return createHash('sha256').update(`drain ${poolUid}`).digest('hex').slice(0, 32);
}

/** Whether a request has the key. Takes the same time whatever is wrong with it. */
export function hasKey(headers: Readonly<Record<string, string | string[] | undefined>>, key: string): boolean {
  const given = Buffer.from(String(headers[KEY_HEADER] ?? ''));
  const wanted = Buffer.from(key);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
