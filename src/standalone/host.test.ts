import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { workerUser } from './host.ts';

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
