import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fittingMaxConnections, hardFileLimit, workerUser } from './machine.ts';

describe('fittingMaxConnections', () => {
  it('is what the pool asks for where that fits', () => {
    expect(fittingMaxConnections(1_000, false, 20_000)).toBe(1_000);
    expect(fittingMaxConnections(1_000, true, Number.POSITIVE_INFINITY)).toBe(1_000);
  });

  it('shrinks a mere default, and refuses a stated figure that does not fit', () => {
    expect(fittingMaxConnections(10_000, false, 20_000)).toBe(9_900);
    expect(() => fittingMaxConnections(10_000, true, 20_000)).toThrow(
      expect.objectContaining({ code: 'CCP_FILE_LIMIT', remedy: expect.stringContaining('9900') }),
    );
    expect(() => fittingMaxConnections(10_000, false, 100)).toThrow(expect.objectContaining({ code: 'CCP_FILE_LIMIT' }));
  });

  it('reads the limit of this process', async () => {
    expect(await hardFileLimit()).toBeGreaterThan(0);
  });
});

describe('workerUser', () => {
  it('keeps root where its user could not reach the sockets, and says why', async () => {
    const folder = await mkdtemp('/tmp/ccp-');
    try {
      const { user, reason } = await workerUser(folder);
      if (process.getuid?.() === 0) expect(reason).toContain(folder);
      expect(user).toBeNull();
      await chmod(folder, 0o755);
      const open = await workerUser(folder);
      if (process.getuid?.() === 0 && open.reason === null) expect(open.user).toEqual({ user: 'haproxy', group: 'haproxy' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
