import type { BackendStatus, Condition, ConditionReason, ConditionType, Role, ServerStatus } from '../api/v1alpha1/index.ts';
import type { Attention } from './attention.ts';
import type { ProxySummary } from './proxy-summary.ts';
import type { RosterEntry } from './roster.ts';
import { serves } from './server-status.ts';

/** What a status says beside the servers; most of it only a cluster knows. */
export interface StatusContext {
  /** Why the pool as written was refused, so that an earlier spec is active; or null. */
  readonly refusal: string | null;
  readonly paused: boolean;
  /** Objects with the names of the pool's that something else owns. */
  readonly notOwned: readonly string[];
  /** Backends whose pods are being replaced, or wait for it. */
  readonly rolling: readonly string[];
  /** What needs the owner's attention. */
  readonly attentions: readonly Attention[];
}

/** What conditions are drawn from. */
export interface ConditionInput {
  readonly backends: readonly BackendStatus[];
  readonly servers: readonly { readonly entry: RosterEntry; readonly status: ServerStatus }[];
  readonly proxies: ProxySummary;
  /** Proxies that the pool asks for. */
  readonly desired: number;
  readonly context: StatusContext;
}

/** A condition without its times. */
export interface ConditionDraft {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: ConditionReason;
  readonly message: string;
}

/** Every condition of a pool. */
export function conditions(input: ConditionInput): ConditionDraft[] {
  return [accepted(input), proxiesSynced(input), ready(input), progressing(input), degraded(input), attention(input)];
}

function accepted({ context: { refusal } }: ConditionInput): ConditionDraft {
  if (refusal !== null) return { type: 'Accepted', status: 'False', reason: 'Invalid', message: refusal };
  return { type: 'Accepted', status: 'True', reason: 'Valid', message: 'The pool is valid and active.' };
}

function isSynced({ desired, proxies }: ConditionInput): boolean {
  return proxies.synced >= desired && proxies.lagging === 0;
}

function proxiesSynced(input: ConditionInput): ConditionDraft {
  const { desired, proxies } = input;
  const complaints = proxies.errors.length === 0 ? '' : ` Errors: ${listed(proxies.errors)}.`;
  const silent = proxies.unheard.length === 0 ? '' : ` No answer from ${listed(proxies.unheard)}.`;
  const message = `${proxies.synced} of ${desired} proxies run this config.${silent}${complaints}`;
  if (isSynced(input)) return { type: 'ProxiesSynced', status: 'True', reason: 'Synced', message };
  return { type: 'ProxiesSynced', status: 'False', reason: proxies.reachable < desired ? 'Unreachable' : 'Syncing', message };
}

function ready(input: ConditionInput): ConditionDraft {
  const type = 'Ready';
  if (input.context.refusal !== null)
    return { type, status: 'False', reason: 'Invalid', message: 'This generation is invalid; the last valid one stays active.' };
  if (!isSynced(input)) return { type, status: 'False', reason: 'Syncing', message: 'Not every proxy runs this generation.' };
  const up = (role: Role): boolean => input.servers.some(({ entry, status }) => entry.role === role && serves(status.state));
  if (up('Active')) return { type, status: 'True', reason: 'Serving', message: 'At least one Active server serves.' };
  if (up('Backup'))
    return { type, status: 'False', reason: 'OnBackup', message: 'No Active server is up; Backup servers take the sessions.' };
  return { type, status: 'False', reason: 'NoServerUp', message: 'No server takes new sessions.' };
}

function progressing(input: ConditionInput): ConditionDraft {
  const type = 'Progressing';
  const { paused, rolling } = input.context;
  const draining = input.servers.filter(({ entry }) => entry.drain.kind === 'draining').map(({ entry }) => entry.name);
  if (paused) return { type, status: 'False', reason: 'Paused', message: 'The pool is paused: only its status is written.' };
  if (rolling.length > 0) return { type, status: 'True', reason: 'RollingOut', message: listed(rolling) };
  if (draining.length > 0) return { type, status: 'True', reason: 'Draining', message: listed(draining) };
  if (!isSynced(input)) return { type, status: 'True', reason: 'Syncing', message: 'Waiting for the proxies.' };
  return { type, status: 'False', reason: 'Settled', message: 'No change is under way.' };
}

function degraded(input: ConditionInput): ConditionDraft {
  const type = 'Degraded';
  const { isolated, panicking } = input.proxies;
  const { notOwned } = input.context;
  if (notOwned.length > 0) {
    const message = `Not owned by this pool, and left alone: ${listed(notOwned)}. Rename the pool, or delete the object that has its name.`;
    return { type, status: 'True', reason: 'NotOwned', message };
  }
  if (panicking.length > 0) {
    const message = `More than half of the capacity stopped answering at once (${listed(panicking)}). Sessions are kept. Check the network between the proxies and the servers.`;
    return { type, status: 'True', reason: 'ServersLost', message };
  }
  const down = serversDown(input);
  if (down.length > 0) return { type, status: 'True', reason: 'ServerDown', message: listed(down) };
  if (isolated.length > 0) {
    const message = `${listed(isolated)} cannot reach any server; other proxies can. Check the network of its node.`;
    return { type, status: 'True', reason: 'NoReachableServers', message };
  }
  return { type, status: 'False', reason: 'AllServersUp', message: 'Every server that should serve is up.' };
}

function serversDown({ backends, servers }: ConditionInput): string[] {
  const down = servers.filter(({ entry, status }) => entry.drain.kind === 'active' && entry.weight > 0 && !serves(status.state));
  return [
    ...down.map(({ entry, status }) => (status.message === undefined ? entry.name : `${entry.name}: ${status.message}`)),
    ...backends.filter((backend) => backend.total === 0 && backend.state === 'Down').map((backend) => backend.name),
  ];
}

function attention({ context: { attentions } }: ConditionInput): ConditionDraft {
  const [first] = attentions;
  if (first === undefined) return { type: 'Attention', status: 'False', reason: 'AllClear', message: 'Nothing needs attention.' };
  const message = attentions
    .map((each, index) => (index === 0 ? each.message : `${each.reason}: ${each.message}`)) // the first reason is the condition's own
    .join(' ')
    .slice(0, 4_096);
  return { type: 'Attention', status: 'True', reason: first.reason, message };
}

function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
