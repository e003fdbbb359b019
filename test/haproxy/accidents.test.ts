import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/binaries.ts';
import { ACCIDENTS } from './accidents.ts';
import { inNamespace } from './namespace.ts';
import type { Contender, Damage } from './scenes/stage.ts';

describe.each(BINARIES)('an accident on HAProxy $version', (haproxy) => {
  it.concurrent.each(ACCIDENTS)('costs no viewer more than the plain file does: $name', { timeout: 250_000 }, async (accident) => {
    const play = async (contender: Contender): Promise<Damage> =>
      await inNamespace('accident', { accident: accident.name, contender, haproxy });
    const [ours, plain] = await Promise.all([play('ours'), play('plain')]);
    const shown = JSON.stringify({ ours, plain }, null, 1);
    expect(ours.lost, shown).toBeLessThanOrEqual(accident.most.lost);
    expect(ours.unserved, shown).toBeLessThanOrEqual(accident.most.unserved);
    expect(ours.lost + ours.unserved, shown).toBeLessThanOrEqual(plain.lost + plain.unserved);
    for (const tale of accident.tells) expect(ours.told, shown).toContainEqual(expect.stringMatching(new RegExp(`^(${tale})$`)));
  });
});
