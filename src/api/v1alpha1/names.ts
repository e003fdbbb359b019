/** Every name that other people's tools rely on: the API group, annotations, conditions and reasons. One file, so that a rename is seen. */

/** API group of everything that we name. */
export const GROUP = 'cccam.dev';
/** Version of the schema. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of a pool. */
export const API_VERSION = `${GROUP}/${VERSION}`;
/** `kind` of a pool. */
export const KIND = 'CccamPool';
/** Name of the resource, as in `kubectl get cccampools`. */
export const PLURAL = 'cccampools';
/** The resource in the singular. */
export const SINGULAR = 'cccampool';
/** The resource in short, as in `kubectl get ccp`. */
export const SHORT_NAME = 'ccp';

/** On a pod: `"true"` or a deadline such as `"10m"` drains it; removing the annotation undoes the drain. */
export const DRAIN_ANNOTATION = `${GROUP}/drain`;
/** On a pod, written by the operator: when its drain began, so that a new leader does not restart the clock. */
export const DRAIN_SINCE_ANNOTATION = `${GROUP}/drain-since`;
/** On a pod, from its template: the port that its CCcam server listens on. */
export const PORT_ANNOTATION = `${GROUP}/port`;
/** On a pod, from its template: the port of the agent beside its CCcam server. */
export const AGENT_PORT_ANNOTATION = `${GROUP}/agent-port`;
/** On a pod, written by the operator: the container of the agent that ran before its image was changed in place. */
export const AGENT_REPLACED_ANNOTATION = `${GROUP}/agent-replaced`;
/** On a pod, from its template and from each change in place: the agent's image as it was asked for. */
export const AGENT_IMAGE_ANNOTATION = `${GROUP}/agent-image`;
/** The agents that the operator puts beside servers and proxies: names of their containers, and where they are reached. */
export const BACKEND_AGENT = { name: 'backend-agent', port: 9_322 } as const;
/** Container of the agent beside HAProxy, and the port that it serves. */
export const PROXY_AGENT = { name: 'proxy-agent', port: 9_321 } as const;
/** Port that HAProxy listens on inside of its pod; the pool's own is the Service's, so that a change of it replaces no proxy. */
export const PROXY_PORT = 12_000;
/** On a child, written by the operator: names the very content that was applied, so that it is applied again only when it differs. */
export const APPLIED_ANNOTATION = `${GROUP}/applied`;
/** On a Deployment: names its pod template but for the agents' image, so that a rollout is known from a change of the count. */
export const TEMPLATE_ANNOTATION = `${GROUP}/template`;
/** On every child and pod: the pool that it belongs to. */
export const POOL_LABEL = `${GROUP}/pool`;
/** On a backend's Deployment and its pods: the backend. */
export const BACKEND_LABEL = `${GROUP}/backend`;
/** On a pool: `"true"` stops all writes for it but status. */
export const PAUSED_ANNOTATION = `${GROUP}/paused`;
/** Pod condition: True when nobody is left on a draining pod. */
export const DRAINED_CONDITION = `${GROUP}/Drained`;
/** Pod readiness gate: True once every proxy has seen the greeting and routes to the pod. */
export const IN_ROTATION_CONDITION = `${GROUP}/InRotation`;

/** Condition types of a pool's status; `Ready` is the one to wait for. */
export const CONDITION_TYPES = ['Accepted', 'ProxiesSynced', 'Ready', 'Progressing', 'Degraded', 'Attention'] as const;
/** A condition of a pool. */
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** Every reason that a condition can carry, with what it means. The reference lists the same; a test compares them. */
export const CONDITION_REASONS = {
  Valid: 'the pool was understood and is in force',
  Invalid: 'the pool was refused; the last good one goes on serving',
  Synced: 'every proxy runs exactly what was asked for',
  Syncing: 'a proxy does not run yet what was asked for',
  Unreachable: 'a proxy does not answer',
  Serving: 'every proxy runs this generation and at least one Active server is up',
  NoServerUp: 'no server takes new sessions',
  OnBackup: 'no Active server is up; Backup servers take the sessions',
  Draining: 'at least one server is being drained',
  Settled: 'nothing is under way',
  ServerDown: 'at least one server that should serve is down',
  ServersLost: 'servers with more than half of the capacity stopped answering together; no session is closed for it',
  NoReachableServers: 'a proxy reaches no server, while others do',
  AllServersUp: 'every server that should serve is up',
  AllClear: 'nothing needs attention',
  LocalErrors: "a proxy's machine cannot open connections; nothing is concluded about the servers",
  LocalPortsLow: 'local ports for connections to a server are nearly used up',
  OpenFilesLow: 'the limit of open files allows fewer sessions than the pool asks for',
  AddressMissing: 'the address that clients connect to is not one of this machine yet',
  ClientsRefused: 'clients are turned away by limits',
  ClientsShareAddress: 'most sessions come from one address, by which clients are told apart',
  LimitBelowCapacity: 'a server takes fewer sessions than its capacity says',
  NoSpareCapacity: 'the other servers cannot hold every session if the largest one dies',
  RollingOut: 'a changed pod template reaches one backend after the other',
  Paused: 'the pool is paused: nothing but its status is written',
  NotOwned: "an object with the name of one of the pool's belongs to somebody else and is left alone",
} as const;
/** The reason of a condition. */
export type ConditionReason = keyof typeof CONDITION_REASONS;
