import type { HaproxyBinary } from '../../support/binaries.ts';
import { ACCIDENTS } from '../accidents.ts';
import { type Contender, type Damage, Stage } from './stage.ts';

/** Plays one accident with one contender. */
export async function play(args: { accident: string; contender: Contender; haproxy: HaproxyBinary }): Promise<Damage> {
  const accident = ACCIDENTS.find(({ name }) => name === args.accident);
  if (accident === undefined) throw new Error(`there is no accident ${args.accident}`);
  const stage = await Stage.set(args.contender, args.haproxy, accident.servers);
  try {
    await accident.happens(stage);
    return stage.damage;
  } finally {
    await stage.end();
  }
}
