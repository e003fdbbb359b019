import { readFile } from 'node:fs/promises';
import { CccamError } from '../runtime/errors.ts';
import { REFUSAL_ROOM } from './model.ts';

/** File descriptors that HAProxy needs beside two for each session. */
const SPARE_FILES = 200;
/** Those of clients that are refused, too. */
const FIXED_FILES = SPARE_FILES + 2 * REFUSAL_ROOM;

/** Open files that this process may allow its children, or Infinity. */
export async function hardFileLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/**
 * Sessions that a proxy can really hold: what the pool asks for, or what the limit of open files allows where the pool only
 * took the default.
 *
 * @param stated whether the pool's owner wrote the figure
 * @throws CccamError CCP_FILE_LIMIT when a stated figure does not fit
 */
export function fittingMaxConnections(wanted: number, stated: boolean, fileLimit: number): number {
  const fits = Math.floor((fileLimit - FIXED_FILES) / 2);
  if (wanted <= fits) return wanted;
  if (!stated && fits > 0) return fits;
  throw new CccamError('CCP_FILE_LIMIT', {
    subject: 'spec.proxy.maxConnections',
    message: `${wanted} sessions need ${2 * wanted + FIXED_FILES} open files, but the limit is ${fileLimit}`,
    remedy: `Raise the limit (ulimit -Hn, LimitNOFILE=), or ask for at most ${Math.max(fits, 0)}.`,
  });
}
