import { systemClock } from '../../src/runtime/clock.ts';

/**
 * Waits for a condition, looking every few milliseconds.
 *
 * @returns milliseconds that it took
 * @throws Error with what `show` says when the condition does not come true in time
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
  show: () => unknown = () => '',
): Promise<number> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > limitMs) throw new Error(`not within ${limitMs} ms: ${what}\n${JSON.stringify(await show(), null, 1)}`);
    await systemClock.sleep(5);
  }
  return performance.now() - begun;
}

/** Makes sure that a condition holds the whole time. */
export async function throughout(what: string, ms: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    if (!(await condition())) throw new Error(`no longer after ${Math.round(performance.now() - begun)} ms: ${what}`);
    await systemClock.sleep(10);
  }
}
