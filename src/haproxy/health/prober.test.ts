import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/fakes/clock.ts';
import type { Probe, ProbeOutcome } from '../greeting.ts';
import { type ProbeResult, Prober } from './prober.ts';

const TARGET = { address: '127.0.1.1', port: 12_001, probe: 'greeting', timeoutMs: 2_000 } as const;

/** Asks a server whose connections come to these ends, each after so many milliseconds. */
async function ask(
  twice: boolean,
  ...ends: readonly (readonly [number, ProbeOutcome])[]
): Promise<ProbeResult & { slow: number; made: number }> {
  const clock = new FakeClock();
  let made = 0;
  let slow = 0;
  const probe: Probe = async (_target, signal) => {
    const [ms, outcome] = ends[made] ?? [0, { kind: 'greeted' }];
    made += 1;
    await clock.sleep(ms, signal);
    return outcome;
  };
  const onSlow = (): void => {
    slow += 1;
  };
  const asking = new Prober(probe, clock).ask({ target: TARGET, twice, onSlow }, new AbortController().signal);
  await clock.advance(60_000);
  return { ...(await asking), slow, made };
}

describe('a probe', () => {
  it('is one connection, and a second one where it matters and the first is not answered at once', async () => {
    expect(await ask(false, [5, { kind: 'greeted' }])).toEqual({ outcome: { kind: 'greeted' }, connections: 1, slow: 0, made: 1 });
    expect(await ask(true, [5, { kind: 'greeted' }])).toEqual({ outcome: { kind: 'greeted' }, connections: 1, slow: 0, made: 1 });
    expect(await ask(true, [2_000, { kind: 'silent' }], [2_000, { kind: 'silent' }])).toEqual({
      outcome: { kind: 'silent' },
      connections: 2,
      slow: 1,
      made: 2,
    });
  });

  it('counts once where the two do not agree, and a greeting wins', async () => {
    expect(await ask(true, [2_000, { kind: 'silent' }], [300, { kind: 'greeted' }])).toMatchObject({
      outcome: { kind: 'greeted' },
      connections: 1,
    });
    expect(await ask(true, [2_000, { kind: 'silent' }], [300, { kind: 'refused' }])).toMatchObject({
      outcome: { kind: 'silent' },
      connections: 1,
    });
  });

  it('is made again when its verdict came far too late: the program was stopped meanwhile, and what lay there was not read', async () => {
    expect(await ask(false, [30_000, { kind: 'silent' }], [5, { kind: 'greeted' }])).toMatchObject({
      outcome: { kind: 'greeted' },
      made: 2,
    });
  });

  it('is given up after three late tries', async () => {
    const late = [9_000, { kind: 'silent' }] as const;
    expect(await ask(false, late, late, late, late)).toMatchObject({ outcome: { kind: 'silent' }, made: 3 });
  });
});
