import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestBox } from '../box.ts';

type Spec = Record<string, unknown>;

/** What becomes of HAProxy, or of its sessions, when one field of a pool that runs is changed and nothing else. */
export interface Effect {
  /** Brings about what the effect needs, before the change. */
  readonly before?: (box: TestBox) => Promise<void>;
  /** The pool without the change: a spec but for its backends where there are none. */
  readonly base?: (box: TestBox) => Spec;
  readonly change: (box: TestBox) => Spec;
  /** Whether the effect is there: not before the change, and soon after it. */
  readonly seen: (box: TestBox) => boolean | Promise<boolean>;
  /** How soon, in milliseconds; a reload comes 15 s after the last one. */
  readonly withinMs?: number;
}

/** A change of the first backend; the second one stays. */
export function ofBackend(change: Spec, base: Spec = {}): Pick<Effect, 'base' | 'change'> {
  const both =
    (more: Spec) =>
    (box: TestBox): Spec => ({ backends: [box.backend(1, more), box.backend(2)] });
  return { base: both(base), change: both({ ...base, ...change }) };
}

/** A change of the pool; its backends stay. */
export function ofPool(change: Spec, base: Spec = {}): Pick<Effect, 'base' | 'change'> {
  return { base: () => base, change: () => ({ ...base, ...change }) };
}

/** Whether HAProxy's answer to a command of its runtime API matches. */
export function says(command: string, pattern: (box: TestBox) => RegExp): Pick<Effect, 'seen'> {
  return { seen: async (box) => pattern(box).test((await box.commands(command)).join('\n')) };
}

/** Whether `show servers state` has such columns behind the first server's operational state. */
export function firstServerState(admin: string, weight: string): Pick<Effect, 'seen'> {
  return says('show servers state servers', (box) => new RegExp(`${box.nameOf(1)} \\S+ \\d+ ${admin} ${weight} `));
}

/** Whether HAProxy's newest worker runs with a configuration that matches: it says whose hash it has. */
export function runsWith(pattern: (box: TestBox) => RegExp): Pick<Effect, 'seen' | 'withinMs'> {
  return {
    withinMs: 40_000,
    async seen(box) {
      const text = await readFile(join(box.stateDir, 'haproxy.cfg'), 'utf8');
      const [description = 'none'] = /cccam-operator [0-9a-f]+/.exec(text) ?? [];
      return pattern(box).test(text) && (await box.commands('show info'))[0]?.includes(description) === true;
    },
  };
}
