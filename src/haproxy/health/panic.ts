import type { FailureKind } from './server-health.ts';

/** A server that should serve, as far as the decision needs it. */
export interface Candidate {
  readonly name: string;
  readonly weight: number;
  readonly verdict: 'joining' | 'up' | 'out';
  readonly cause: FailureKind | null;
  /** Since when, on the monotonic clock. */
  readonly since: number;
}

/** What the health of all servers together comes to. */
export interface PoolHealth {
  /** Names of servers that are kept in rotation although they do not answer, because none does. */
  readonly kept: ReadonlySet<string>;
  /** Names of servers that stopped answering together, and hold more than half of the capacity; empty otherwise. */
  readonly lost: readonly string[];
}

/** Servers that stop answering within this time have most likely one cause, and it is between us and them. */
const WINDOW_MS = 60_000;

/**
 * The panic rule. When servers with more than half of the capacity stop answering within a minute, that says more about the way to them
 * than about them: no session of theirs is closed. And where no server at all answers, they stay in rotation: a client is served
 * the moment that the way is there again, instead of after the next checks.
 */
export function poolHealth(candidates: readonly Candidate[]): PoolHealth {
  const away = candidates.filter(isAway);
  const answers = candidates.some(({ verdict }) => verdict === 'up');
  const lost = new Set<string>();
  for (const { since: from } of away) {
    const together = away.filter(({ since }) => since >= from && since - from <= WINDOW_MS);
    if (together.length > 1 && capacity(together) > capacity(candidates) / 2) for (const { name } of together) lost.add(name);
  }
  const last = candidates.filter(isLastResort);
  return { kept: new Set(answers ? [] : last.map(({ name }) => name)), lost: [...lost].sort() };
}

/** Whether it does not answer in a way that the network could cause. A server that refuses or closes was reached. */
function isAway({ cause, verdict }: Candidate): boolean {
  return verdict === 'out' && (cause === 'unreachable' || cause === 'silent');
}

/** Whether clients may be sent to it where no server answers: one that ignores new connections, or was not probed, may still serve them. */
function isLastResort(candidate: Candidate): boolean {
  return isAway(candidate) || (candidate.verdict === 'out' && (candidate.cause === 'ignored' || candidate.cause === 'unserved'));
}

/** Every server counts a little, so that a pool of weights 0 has a capacity, too. */
function capacity(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, { weight }) => sum + Math.max(weight, 1), 0);
}
