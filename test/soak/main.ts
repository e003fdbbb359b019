/**
 * What takes long: random walks over a pool that runs, and then a time of changes in which nothing may be kept, with everything that was
 * measured in a file. `node test/soak/main.ts [walks] [minutes] [seed]`
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlPlane } from '../api-server/control-plane.ts';
import { prepare, TestCluster } from '../api-server/test-cluster.ts';
import { inNamespace } from '../haproxy/namespace.ts';
import { STEADY_MOST, type SteadyResult } from '../haproxy/scenes/steady.ts';
import type { WalkResult } from '../haproxy/scenes/walk.ts';
import { BINARIES } from '../support/binaries.ts';
import { CHURN_MOST, churn } from './churn.ts';
import { growth, type Sample } from './growth.ts';

const STEPS = 25;
/** Walks at once: they wait far longer than they work. */
const AT_ONCE = 4;

const [walks = 16, minutes = 60, seedGiven] = process.argv.slice(2).map(Number);
const first = seedGiven ?? Math.floor(Math.random() * 2 ** 31);
const total = { edits: 0, faults: 0, sessions: 0, lost: 0 };
let failed = 0;
let next = first;

console.log(`${walks} walks of ${STEPS} steps, seeds from ${first}`);
await Promise.all(Array.from({ length: Math.min(AT_ONCE, walks) }, walkOn));
console.log(`${total.edits} edits, ${total.faults} faults, ${total.sessions} sessions, ${total.lost} lost with a reason`);
if (minutes > 0) {
  const folder = await mkdtemp(join(tmpdir(), 'ccp-soak-'));
  console.log(`${minutes} minutes of changes; samples in ${folder}`);
  await Promise.all([...BINARIES.map((haproxy) => steady(folder, haproxy)), manyPools(folder)]);
}
console.log(failed === 0 ? 'ok' : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Each walk must end as a fresh start with the same file does, and no session may be lost without a reason. */
async function walkOn(): Promise<void> {
  while (next < first + walks) {
    const seed = next;
    next += 1;
    const haproxy = BINARIES[seed % BINARIES.length] ?? { version: 'none', path: 'haproxy' };
    const name = `seed ${seed} on HAProxy ${haproxy.version}`;
    try {
      const result = await inNamespace<WalkResult>('walk', { seed, steps: STEPS, haproxy });
      for (const key of ['edits', 'faults', 'sessions', 'lost'] as const) total[key] += result[key];
      report(name, result.wrong, result.story);
    } catch (thrown) {
      report(name, [String(thrown)]);
    }
  }
}

async function steady(folder: string, haproxy: (typeof BINARIES)[number]): Promise<void> {
  const name = `a box on HAProxy ${haproxy.version}`;
  const limitMs = (minutes + 5) * 60_000;
  await inNamespace<SteadyResult>('steady', { minutes, haproxy }, limitMs).then(
    async ({ lost, samples }) => await judge(join(folder, `haproxy-${haproxy.version}.json`), name, { samples, most: STEADY_MOST, lost }),
    (thrown: unknown) => report(name, [String(thrown)]),
  );
}

async function manyPools(folder: string): Promise<void> {
  const name = 'an operator';
  const plane = await ControlPlane.start();
  try {
    await prepare(plane.access);
    const cluster = await TestCluster.create(plane.access);
    const result = await churn(cluster, minutes).finally(() => cluster.stop());
    const lost = result.lost === 0 ? [] : [`${result.lost} sessions`];
    await judge(join(folder, 'operator.json'), name, { samples: result.samples, most: CHURN_MOST, lost });
  } catch (thrown) {
    report(name, [String(thrown)]);
  } finally {
    await plane.stop();
  }
}

interface Measured {
  readonly samples: readonly Sample[];
  readonly most: Sample;
  readonly lost: readonly string[];
}

async function judge(file: string, name: string, { lost, most, samples }: Measured): Promise<void> {
  await writeFile(file, JSON.stringify(samples));
  const at = (place: number): string => JSON.stringify(samples[Math.floor(samples.length * place)]);
  console.log(`${name}: ${samples.length} samples, after a third ${at(1 / 3)}, at the end ${at(1 - 1 / samples.length)}`);
  report(name, [...lost.map((each) => `lost: ${each}`), ...growth(samples, most)]);
}

function report(name: string, wrong: readonly unknown[], story: readonly string[] = []): void {
  console.log(`${wrong.length === 0 ? 'ok' : 'FAILED'}: ${name}`);
  if (wrong.length === 0) return;
  failed += 1;
  console.log(JSON.stringify(wrong, null, 1));
  console.log(story.join('\n'));
}
