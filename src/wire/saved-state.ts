import * as z from 'zod/mini';
import { jsonSize } from '../runtime/json-size.ts';
import { pruneJson } from '../runtime/json-text.ts';
import { PROXY_CONFIG_KEY } from './proxy-config.ts';
import { readServers, type SavedServer } from './saved-roster.ts';

/** Keys of the ConfigMap of a pool. */
export const CONFIG_KEYS = {
  /** What HAProxy starts with, complete; for people, and for a start without an agent. */
  config: 'haproxy.cfg',
  /** The proxy config that the agents follow. */
  proxy: PROXY_CONFIG_KEY,
  /** What must survive a restart of the operator. */
  state: 'state.json',
} as const;

/** What the operator keeps of a pool: server ids, drain clocks, servers on their way out, and the last valid spec. */
export interface SavedState {
  /** The spec that is active, as it was written, without its pod templates; an invalid one does not get here. */
  readonly spec: unknown;
  readonly roster: readonly SavedServer[];
}

const savedState = z.object({ version: z.literal(1), spec: z.unknown() });

/** The text that is saved. */
export function savedStateText({ roster, spec }: SavedState): string {
  return JSON.stringify({ version: 1, spec, roster });
}

/** More than a spec that was accepted: that has 256 KiB and 80 levels at most, and its pod templates are not saved. */
const LARGEST_SPEC = { bytes: 300_000, depth: 100 };
/** The roster is read server by server; a spec has fewer objects, lists and commas. Who may write the ConfigMap could put in far more. */
const MOST = { depth: 0, dropped: new Set(['roster']), memberValues: 65_536 };

/** Reads what was saved. @returns null for what cannot be read: it was changed by hand, and is written again from what is known */
export function readSavedState(text: string): SavedState | null {
  try {
    const pruned = pruneJson(text, MOST);
    const { spec } = savedState.parse(JSON.parse(pruned.text));
    const { bytes, depth } = jsonSize(spec, LARGEST_SPEC);
    const roster = pruned.cut.find(({ key }) => key === 'roster');
    if (roster === undefined || bytes >= LARGEST_SPEC.bytes || depth >= LARGEST_SPEC.depth) return null;
    const servers = readServers(roster.text);
    return servers === null ? null : { spec, roster: servers };
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof z.core.$ZodError) return null;
    throw thrown;
  }
}
