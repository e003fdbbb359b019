/**
 * Cuts a stream of bytes into lines. A last line without its end is dropped: it was cut off in the middle. `readline` is not used: over
 * a response that is destroyed in mid-iteration it crashes the process with an error that nobody can catch.
 *
 * @param maxBytes longest line
 * @throws RangeError for a longer one; and whatever the stream throws
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      const line = Buffer.concat([...rest, bytes.subarray(0, end)]).toString('utf8');
      rest = [];
      size = 0;
      bytes = bytes.subarray(end + 1);
      if (line !== '') yield line;
    }
    size += bytes.length;
    if (size > maxBytes) throw new RangeError(`a line is longer than ${maxBytes} bytes`);
    if (bytes.length > 0) rest.push(bytes);
  }
}
