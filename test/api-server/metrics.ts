import type { RunningOperator } from './test-cluster.ts';

/** What an operator tells of itself; '' while it does not answer. */
export async function metrics(operator: RunningOperator): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${operator.port}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
  return (await answer?.text()) ?? '';
}

/** Sum of a metric over all of its labels. */
export function total(text: string, name: string): number {
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'gm'))].reduce((sum, match) => sum + Number(match[1]), 0);
}
