import { gunzipSync, gzipSync } from 'node:zlib';

/** Texts as a ConfigMap holds them: plain, or compressed where they are long. */
export interface MapTexts {
  readonly data: Readonly<Record<string, string>>;
  /** Base64 of gzip, under the key of the text and `.gz`. */
  readonly binaryData: Readonly<Record<string, string>>;
}

/** What a compressed text may become: that of 8 000 servers with their shares of eight proxies has 5 MB. */
const MOST_BYTES = 8 * 1_048_576;
const SUFFIX = '.gz';

/**
 * Puts texts into a form in which they fit a ConfigMap, which holds 1 MiB in all.
 *
 * @param texts by key, with the length from which on each is compressed
 */
export function packTexts(texts: Readonly<Record<string, { readonly text: string; readonly plainBytes: number }>>): MapTexts {
  const data: Record<string, string> = {};
  const binaryData: Record<string, string> = {};
  for (const [key, { plainBytes, text }] of Object.entries(texts)) {
    if (text.length <= plainBytes) data[key] = text;
    else binaryData[`${key}${SUFFIX}`] = gzipSync(text).toString('base64');
  }
  return { data, binaryData };
}

/** Bytes that the API server counts. */
export function packedBytes({ binaryData, data }: MapTexts): number {
  const plain = Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return Object.values(binaryData).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), plain);
}

/** A text of a ConfigMap, whichever form it has; undefined where it is missing, or is not what it should be. */
export function unpackText(object: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const plain = member(object['data'], key);
  const packed = member(object['binaryData'], `${key}${SUFFIX}`);
  if (plain !== undefined || packed === undefined) return plain;
  return unpackFile(Buffer.from(packed, 'base64'));
}

/** Name of the file with a compressed text, where the ConfigMap is mounted. */
export function packedName(key: string): string {
  return `${key}${SUFFIX}`;
}

/** What a compressed text was; undefined for what is none, or would be too long. */
export function unpackFile(bytes: Uint8Array): string | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES }).toString('utf8');
  } catch {
    return undefined; // changed by hand: as good as missing
  }
}

function member(object: unknown, key: string): string | undefined {
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, key)) return undefined;
  const value: unknown = Reflect.get(object, key);
  return typeof value === 'string' ? value : undefined;
}
