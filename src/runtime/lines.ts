const FIRST_BYTES = 4_096;

/**
 * Cuts a stream of bytes into lines; empty ones are skipped, and a last line without its end is dropped: it was cut off. An unfinished line
 * is kept in one buffer, so that a peer that sends a byte at a time costs no more than the line is long. `readline` is not used: over a
 * response that is destroyed in mid-iteration it crashes the process with an error that cannot be caught.
 *
 * @param maxBytes longest line
 * @throws RangeError for a longer one; and whatever the stream throws
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const rest = new UnfinishedLine(maxBytes);
  for await (const chunk of chunks) {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      const line = rest.finish(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
      if (line !== '') yield line;
    }
    rest.add(bytes);
  }
}

class UnfinishedLine {
  readonly #maxBytes: number;
  #buffer: Buffer | null = null;
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const size = this.#size + bytes.length;
    this.#check(size);
    if (this.#buffer === null || size > this.#buffer.length) this.#grow(size);
    this.#buffer?.set(bytes, this.#size);
    this.#size = size;
  }

  /** The whole line. */
  finish(bytes: Buffer): string {
    if (this.#buffer === null || this.#size === 0) {
      this.#check(bytes.length);
      return bytes.toString('utf8');
    }
    this.add(bytes);
    const line = this.#buffer.toString('utf8', 0, this.#size);
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = null; // one long line must not cost its length for ever
    this.#size = 0;
    return line;
  }

  #check(size: number): void {
    if (size > this.#maxBytes) throw new RangeError(`a line is longer than ${this.#maxBytes} bytes`);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(FIRST_BYTES, 2 * size)));
    if (this.#buffer !== null) grown.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = grown;
  }
}
