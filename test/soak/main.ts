/**
 * Random walks over a pool that runs: edits of its file and faults, drawn from a seed. Each must end as a fresh start with the same file
 * does, and no session may be lost without a reason. `node test/soak/main.ts [walks] [seed]`
 */

import { inNamespace } from '../haproxy/namespace.ts';
import type { WalkResult } from '../haproxy/scenes/walk.ts';
import { BINARIES } from '../support/binaries.ts';

const STEPS = 25;
/** Walks at once: they wait far longer than they work. */
const AT_ONCE = 4;

const [walks = 16, first = Math.floor(Math.random() * 2 ** 31)] = process.argv.slice(2).map(Number);
const total = { edits: 0, faults: 0, sessions: 0, lost: 0 };
let failed = 0;
let next = first;

console.log(`${walks} walks of ${STEPS} steps, seeds from ${first}`);
await Promise.all(Array.from({ length: Math.min(AT_ONCE, walks) }, walkOn));
console.log(
  `${total.edits} edits, ${total.faults} faults, ${total.sessions} sessions, ${total.lost} lost with a reason; ${failed} walks of ${walks} failed`,
);
process.exitCode = failed === 0 ? 0 : 1;

async function walkOn(): Promise<void> {
  while (next < first + walks) {
    const seed = next;
    next += 1;
    const haproxy = BINARIES[seed % BINARIES.length] ?? { version: 'none', path: 'haproxy' };
    try {
      const result = await inNamespace<WalkResult>('walk', { seed, steps: STEPS, haproxy });
      for (const key of ['edits', 'faults', 'sessions', 'lost'] as const) total[key] += result[key];
      report(seed, haproxy.version, result.wrong, result.story);
    } catch (thrown) {
      report(seed, haproxy.version, [String(thrown)], []);
    }
  }
}

function report(seed: number, version: string, wrong: readonly unknown[], story: readonly string[]): void {
  console.log(`${wrong.length === 0 ? 'ok' : 'FAILED'}: seed ${seed} on HAProxy ${version}`);
  if (wrong.length === 0) return;
  failed += 1;
  console.log(JSON.stringify(wrong, null, 1));
  console.log(story.join('\n'));
}
