import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lines } from './lines.ts';

async function all(chunks: readonly string[], maxBytes = 1_000): Promise<string[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const found: string[] = [];
  for await (const line of lines(source(), maxBytes)) found.push(line);
  return found;
}

describe('lines', () => {
  it('are the same however the bytes are cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 9 }),
        async (texts, size) => {
          const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
          const chunks: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
          async function* source(): AsyncGenerator<Uint8Array> {
            yield* chunks;
          }
          const found: string[] = [];
          for await (const line of lines(source(), 10_000)) found.push(line);
          expect(found).toEqual(
            Buffer.from(texts.join('\n'))
              .toString()
              .split('\n')
              .filter((line) => line !== ''),
          );
        },
      ),
    );
  });

  it('are refused when one is longer than it may be, whole or in pieces', async () => {
    await expect(all([`${'x'.repeat(11)}\n`], 10)).rejects.toThrow(RangeError);
    await expect(all(['xxxxxx', 'yyyyy'], 10)).rejects.toThrow(RangeError);
    await expect(all([`${'x'.repeat(10)}\n`], 10)).resolves.toEqual(['x'.repeat(10)]);
  });

  it('lose the last one when it was cut off', async () => {
    await expect(all(['whole\ncut'])).resolves.toEqual(['whole']);
  });
});
