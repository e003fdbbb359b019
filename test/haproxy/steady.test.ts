import { expect, it } from 'vitest';
import { growth } from '../soak/growth.ts';
import { BINARIES } from '../support/binaries.ts';
import { inNamespace } from './namespace.ts';
import { STEADY_MOST, type SteadyResult } from './scenes/steady.ts';

/** `make soak MINUTES=60` takes an hour. */
const MINUTES = 5;

it.concurrent.each(BINARIES)(
  'a box whose pool changes for five minutes keeps no memory, file, worker or session on HAProxy $version',
  { timeout: 400_000 },
  async (haproxy) => {
    const { lost, reloads, samples } = await inNamespace<SteadyResult>('steady', { minutes: MINUTES, haproxy });
    expect(lost).toEqual([]);
    expect(reloads).toBeGreaterThanOrEqual(4);
    expect(growth(samples, STEADY_MOST), JSON.stringify(samples)).toEqual([]);
  },
);
