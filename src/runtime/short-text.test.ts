import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { shortText } from './short-text.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A text as it comes from outside: nobody else refers to it. */
function long(seed: number): string {
  return JSON.parse(JSON.stringify('x'.repeat(250_000) + seed)) as string;
}

describe('shortText', () => {
  it('is the text, or its beginning', () => {
    expect(shortText('short', 10)).toBe('short');
    expect(shortText('änderung', 3)).toBe('änd');
  });

  it('keeps nothing of a long text but its beginning', () => {
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 200 }, (_, seed) => shortText(long(seed), 1_000));
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
    expect(kept).toHaveLength(200);
  });
});
