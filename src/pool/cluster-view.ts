import type { CccamPool, Issue, PoolStatus } from '../api/v1alpha1/index.ts';
import type { AgentPatch } from './agent-upgrade.ts';
import type { Child, ChildFacts, ChildKind } from './child.ts';
import type { PodFacts } from './pod-facts.ts';
import type { PodPatch } from './pod-patch.ts';
import type { PoolEvent } from './pool-event.ts';
import type { ProxyReport } from './proxy-report.ts';
import type { PoolIdentity } from './resources/identity.ts';
import type { ClusterSettings } from './resources/settings.ts';
import type { Roster } from './roster.ts';

/** Everything that is known of a pool and its surroundings in one moment. Plain data. */
export interface ClusterView {
  readonly identity: PoolIdentity;
  readonly generation: number;
  readonly paused: boolean;
  readonly reading: PoolReading;
  /** What must survive a restart, as it was saved last. */
  readonly roster: Roster;
  readonly settings: ClusterSettings;
  readonly pods: readonly PodFacts[];
  /** Objects that have the name of a child, and those that are labelled as ours, by `childKey`. */
  readonly children: ReadonlyMap<string, ChildFacts>;
  /** Fingerprints of what the API server made of what was applied, by `childKey`. */
  readonly verified: ReadonlyMap<string, string>;
  /** Why the API server refused objects of the pool, such as a pod template that it does not understand. */
  readonly refusals: readonly string[];
  readonly proxies: readonly ProxyReport[];
  /** Where clients connect, once that is known. */
  readonly address: string | null;
  /** The status as it stands. */
  readonly status: PoolStatus | null;
  /** Milliseconds since the status was written by this process. */
  readonly sinceStatusMs: number;
}

/** What reading the pool gave. */
export type PoolReading =
  | { readonly kind: 'accepted'; readonly pool: CccamPool; readonly spec: unknown; readonly warnings: readonly Issue[] }
  /** Invalid as it is; `lastGood` stays active, where there is one. */
  | {
      readonly kind: 'refused';
      readonly issues: readonly Issue[];
      readonly lastGood: { readonly pool: CccamPool; readonly spec: unknown } | null;
    };

/** What is to be done about a pool. Nothing in here has to be done twice. */
export interface Outcome {
  /** What clients feel. */
  readonly changes: {
    /** In this order. */
    readonly apply: readonly Child[];
    readonly remove: readonly { readonly kind: ChildKind; readonly name: string; readonly uid: string }[];
    /** Whether something of it takes pods away, so that it must be decided on what the API server says now and not on what a watch said. */
    readonly disruptive: boolean;
  };
  /** Agents that are restarted with another image, after everything that clients feel. */
  readonly upgrades: readonly AgentPatch[];
  /** What people and other controllers read. */
  readonly report: {
    readonly pods: readonly PodPatch[];
    /** The status to write, or null when it is right already or nothing can be said yet. */
    readonly status: PoolStatus | null;
    /** What is done or found in this pass; reported even if the rest of it fails. */
    readonly events: readonly PoolEvent[];
    /** What has changed with this status; reported once it is written. */
    readonly statusEvents: readonly PoolEvent[];
  };
  readonly roster: Roster;
  /** When to look again even if nothing happens, in milliseconds; null for never. */
  readonly requeueAfterMs: number | null;
}
