/**
 * What happens around the deadline of a drain, and how long each may take. Operator, agents and kubelet must agree: an agent that goes on
 * longer than the kubelet waits has its sessions cut all at once.
 */

/** A pod's grace period is this much longer than its drain. */
export const GRACE_AFTER_DEADLINE_MS = 60_000;

/** After the deadline the remaining sessions are closed a few at a time; an agent lets its container end after this at the latest. */
export const CLOSING_LIMIT_MS = 45_000;

/** A pod whose grace period is shorter than its drain begins to close its sessions this long before the period is over. */
export const CLOSING_RESERVE_MS = 30_000;

/** Longest drain: a week. */
export const LONGEST_DRAIN_MS = 168 * 3_600_000;
