import type { Roster } from './roster.ts';

/** Keys of the ConfigMap of a pool. */
export const CONFIG_KEYS = {
  /** What HAProxy begins with, complete; for people, and for a start without an agent. */
  config: 'haproxy.cfg',
  /** What the agents make of HAProxy. */
  proxy: 'proxy.json',
  /** What must survive a restart of the operator: ids, clocks, servers on their way out, and the last good spec. */
  state: 'state.json',
} as const;

/** What the operator keeps of a pool. */
export interface SavedState {
  readonly version: 1;
  /** The spec that is in force, as a person wrote it, without its pod templates; a refused one does not get here. */
  readonly spec: unknown;
  readonly roster: Roster;
}
