/** Bytes that each session has had from its server, by a key that no other session gets. */
export type SessionTotals = ReadonlyMap<string, number>;

/** How lively the sessions of one server are, judged by what comes from the server. Times are on the monotonic clock. */
export interface Activity {
  /** When the sessions were last looked at. */
  readonly at: number;
  readonly totals: SessionTotals;
  /** Since when nothing at all has come from the server. */
  readonly stillSince: number;
  /** Sessions that had an answer, of how many and over what time; a stretch without any is added once it is over. The last minute. */
  readonly past: readonly { readonly answers: number; readonly sessions: number; readonly ms: number; readonly at: number }[];
  /** Longest stretch in which a look saw that nothing had come, and that was over in the end, and when that was. */
  readonly longestStill: { readonly ms: number; readonly at: number };
}

const PAST_MS = 60_000;
/** Before so much of the past is known, nothing is expected: clients that came together also send their keepalives together. */
const LEAST_PAST_MS = 10_000;
/** Where each look sees answers, the server is not known to have been still at all: that we looked rarely is no habit of its. */
const LOOK_MS = 1_000;
const LONGEST_COUNTS_MS = 60 * 60_000;
/** Answers that must have stayed away. Were they to come at random, that would happen once in three thousand (e^-8). */
const MISSING_ANSWERS = 8;
/** Where traffic is too thin to expect anything: longer than CCcam-protocol servers wait with a keepalive (OSCam: 15 to 45 s). */
export const KEEPALIVE_MS = 50_000;
/** A server that has been quiet for longer before and came back is given that time and half as much again. */
const PATIENCE = 1.5;

/** Takes over what was just read. @param before null for a server that is looked at for the first time */
export function nextActivity(before: Activity | null, totals: SessionTotals, now: number): Activity {
  if (before === null) return { at: now, totals, stillSince: now, past: [], longestStill: { ms: 0, at: now } };
  const { answers, greeted } = compared(before.totals, totals);
  // There was no session that could have received anything.
  const sessions = servedSessions(before.totals);
  if (sessions === 0) return { ...before, at: now, totals, stillSince: greeted > 0 ? now : before.at };
  if (answers + greeted === 0) return { ...before, at: now, totals };
  const ms = now - before.stillSince;
  const past = [...before.past.filter((each) => now - each.at <= PAST_MS), { answers, sessions, ms, at: now }];
  const outdated = now - before.longestStill.at > LONGEST_COUNTS_MS;
  const still = before.at > before.stillSince ? ms : Math.min(ms, LOOK_MS);
  const longestStill = outdated || still >= before.longestStill.ms ? { ms: still, at: now } : before.longestStill;
  return { at: now, totals, stillSince: now, past, longestStill };
}

/** Whether anything has come from the server since that time, as far as was looked. */
export function answeredSince(activity: Activity, time: number): boolean {
  return activity.stillSince > time;
}

/**
 * For how long a server must stand still until that tells something, in milliseconds: by what each of its sessions had before, so that
 * those that have left are not waited for.
 */
export function tellingMs({ longestStill, past, totals }: Activity): number {
  const answers = past.reduce((sum, each) => sum + each.answers, 0);
  const ms = past.reduce((sum, each) => sum + each.ms, 0);
  const sessionMs = past.reduce((sum, each) => sum + each.sessions * each.ms, 0);
  const known = answers > 0 && ms >= LEAST_PAST_MS;
  const everyMs = sessionMs / answers / Math.max(servedSessions(totals), 1);
  const expected = known ? Math.min(KEEPALIVE_MS, MISSING_ANSWERS * everyMs) : KEEPALIVE_MS;
  return Math.max(expected, PATIENCE * longestStill.ms);
}

/**
 * Whether the sessions of a server have stood still for so long that it must be asked. Without sessions nothing is to be expected.
 *
 * @param since earlier stillness does not count
 */
export function standsStill(activity: Activity, leastMs = 0, since = Number.NEGATIVE_INFINITY): boolean {
  const stillMs = activity.at - Math.max(activity.stillSince, since);
  return servedSessions(activity.totals) > 0 && stillMs >= Math.max(tellingMs(activity), leastMs);
}

/** Sessions that have had anything from the server. */
export function servedSessions(totals: SessionTotals): number {
  let count = 0;
  for (const bytes of totals.values()) if (bytes > 0) count += 1;
  return count;
}

/** Sessions that have had something since then; a greeting is a sign of life, but no answer to expect again. */
function compared(before: SessionTotals, after: SessionTotals): { readonly answers: number; readonly greeted: number } {
  let answers = 0;
  let greeted = 0;
  for (const [key, bytes] of after) {
    const known = before.get(key);
    if (known === undefined) greeted += bytes > 0 ? 1 : 0;
    else if (bytes > known) answers += 1;
  }
  return { answers, greeted };
}
