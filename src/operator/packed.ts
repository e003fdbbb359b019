/**
 * Plain data that is kept for long and looked at seldom: as one text, a fifth of what its objects take. What was unpacked stays for as
 * long as memory is not needed for something else.
 */
export class Packed<T extends object> {
  readonly #text: string;
  #unpacked: WeakRef<T>;

  constructor(value: T) {
    this.#text = JSON.stringify(value);
    this.#unpacked = new WeakRef(value);
  }

  /** Length of its text. */
  get size(): number {
    return this.#text.length;
  }

  /** The data itself; not to be changed. */
  get value(): T {
    const known = this.#unpacked.deref();
    if (known !== undefined) return known;
    const value = JSON.parse(this.#text) as T;
    this.#unpacked = new WeakRef(value);
    return value;
  }

  /** The same text for the same data, so that packed data can be compared. */
  toJSON(): string {
    return this.#text;
  }
}
