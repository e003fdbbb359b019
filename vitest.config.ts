import { defineConfig } from 'vitest/config';

const common = { globals: false, restoreMocks: true, allowOnly: false } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts', 'test/soak/**/*.test.ts'],
          // Against tests that hang. Properties take seconds of CPU time, and a machine may be busy with something else.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...common,
          name: 'haproxy',
          include: ['test/haproxy/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They wait for timeouts and deadlines far longer than they work.
          maxWorkers: 6,
          // A machine that stalls for a second must not refuse a change; at a desk every failure is shown at once.
          retry: process.env['CI'] === undefined ? 0 : 1,
        },
      },
      {
        test: {
          ...common,
          name: 'api-server',
          include: ['test/api-server/**/*.test.ts'],
          globalSetup: ['test/api-server/global-setup.ts'],
          testTimeout: 90_000,
          hookTimeout: 90_000,
          // They wait for leases, outages and deadlines far longer than they work.
          maxWorkers: 4,
          retry: process.env['CI'] === undefined ? 0 : 1,
        },
      },
      {
        test: {
          ...common,
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Each has a node of its own.
          maxWorkers: 2,
          retry: process.env['CI'] === undefined ? 0 : 1,
        },
      },
    ],
  },
});
