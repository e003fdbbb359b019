import { describe, expect, it } from 'vitest';
import { fittingMaxConnections, hardFileLimit } from './file-limit.ts';

describe('fittingMaxConnections', () => {
  it('is what the pool asks for where that fits', () => {
    expect(fittingMaxConnections(1_000, false, 20_000)).toBe(1_000);
    expect(fittingMaxConnections(1_000, true, Number.POSITIVE_INFINITY)).toBe(1_000);
  });

  it('shrinks a mere default, and refuses a stated figure that does not fit', () => {
    expect(fittingMaxConnections(10_000, false, 20_000)).toBe(9_850);
    expect(() => fittingMaxConnections(10_000, true, 20_000)).toThrow(
      expect.objectContaining({ code: 'CCP_FILE_LIMIT', remedy: expect.stringContaining('9850') }),
    );
    expect(() => fittingMaxConnections(10_000, false, 100)).toThrow(expect.objectContaining({ code: 'CCP_FILE_LIMIT' }));
  });

  it('reads the limit of this process', async () => {
    expect(await hardFileLimit()).toBeGreaterThan(0);
  });
});
