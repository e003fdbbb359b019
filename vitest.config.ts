import { defineConfig } from 'vitest/config';

const common = { globals: false, restoreMocks: true, allowOnly: false } as const;

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'unit', include: ['src/**/*.test.ts', 'test/architecture/**/*.test.ts'] } },
      {
        test: {
          ...common,
          name: 'haproxy',
          include: ['test/haproxy/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Real processes on two cores: more files at once only wait for each other.
          maxWorkers: 2,
        },
      },
    ],
  },
});
