import { gunzipSync, gzipSync } from 'node:zlib';

/**
 * Plain data that is kept for long and looked at seldom: as one text, a fifth of what its objects take. What was unpacked stays for as
 * long as memory is not needed for something else.
 */
export class Packed<T extends object> {
  readonly #stored: string | Buffer;
  #unpacked: WeakRef<T>;

  /** @param plainBytes a longer text is compressed, to a tenth of what most are */
  constructor(value: T, plainBytes = Number.POSITIVE_INFINITY) {
    const text = JSON.stringify(value);
    this.#stored = text.length > plainBytes ? gzipSync(text) : text;
    this.#unpacked = new WeakRef(value);
  }

  /** What it takes, in bytes. */
  get size(): number {
    return this.#stored.length;
  }

  /** The data itself; not to be changed. */
  get value(): T {
    const known = this.#unpacked.deref();
    if (known !== undefined) return known;
    const value = JSON.parse(this.toJSON()) as T;
    this.#unpacked = new WeakRef(value);
    return value;
  }

  /** The same text for the same data, so that packed data can be compared. */
  toJSON(): string {
    return typeof this.#stored === 'string' ? this.#stored : gunzipSync(this.#stored).toString('utf8');
  }
}
