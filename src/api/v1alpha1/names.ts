/** Every name that other tools rely on: the API group, annotations, conditions and reasons. One file, so that a rename is seen. */

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
/** Port that HAProxy listens on inside its pod. The pool's own port is the Service's, so changing it replaces no proxy. */
export const PROXY_PORT = 12_000;
/** On a child, written by the operator: names the content that was applied, so that it is applied again only when it differs. */
export const APPLIED_ANNOTATION = `${GROUP}/applied`;
/** On a Deployment: names its pod template but for the agents' image, so that a rollout is known from a change of the count. */
export const TEMPLATE_ANNOTATION = `${GROUP}/template`;
/** On every child and pod: the pool that it belongs to. */
export const POOL_LABEL = `${GROUP}/pool`;
/** On a backend's Deployment and its pods: the backend. */
export const BACKEND_LABEL = `${GROUP}/backend`;
/** On a pool: `"true"` stops all writes for it but status. */
export const PAUSED_ANNOTATION = `${GROUP}/paused`;
/** Pod condition: True when a draining pod has no sessions left. */
export const DRAINED_CONDITION = `${GROUP}/Drained`;
/** Pod readiness gate: True once every proxy has seen the greeting and routes to the pod. */
export const IN_ROTATION_CONDITION = `${GROUP}/InRotation`;

/** Condition types of a pool's status; `Ready` is the one to wait for. */
export const CONDITION_TYPES = ['Accepted', 'ProxiesSynced', 'Ready', 'Progressing', 'Degraded', 'Attention'] as const;
/** A condition of a pool. */
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** Every reason that a condition can carry, with what it means. The reference lists the same; a test compares them. */
export const CONDITION_REASONS = {
  Valid: 'the pool is valid and active',
  Invalid: 'the pool is invalid; the last valid spec stays active',
  Synced: 'every proxy runs the current config',
  Syncing: 'a proxy does not run the current config yet',
  Unreachable: 'a proxy does not answer',
  Serving: 'every proxy runs this generation and at least one Active server is up',
  NoServerUp: 'no server takes new sessions',
  OnBackup: 'no Active server is up; Backup servers take the sessions',
  Draining: 'at least one server is being drained',
  Settled: 'no change is under way',
  ServerDown: 'at least one server that should serve is down',
  ServersLost: 'more than half of the capacity stopped answering at once; sessions are kept',
  NoReachableServers: 'a proxy cannot reach any server; other proxies can',
  AllServersUp: 'every server that should serve is up',
  AllClear: 'nothing needs attention',
  LocalErrors: "a proxy's machine cannot open connections; servers are not judged by that",
  LocalPortsLow: 'local ports for connections to a server are almost used up',
  OpenFilesLow: 'the limit of open files allows fewer sessions than the pool asks for',
  AddressMissing: 'this machine does not have the address that clients connect to yet',
  ClientsRefused: 'limits refuse many clients',
  ClientsShareAddress: 'most sessions come from one address, and clients are told apart by address',
  LimitBelowCapacity: 'a server takes fewer sessions than its capacity says',
  NoSpareCapacity: 'the other servers cannot hold every session if the largest one dies',
  RollingOut: 'a changed pod template is rolled out, one backend at a time',
  Paused: 'the pool is paused: only its status is written',
  NotOwned: 'an object with a name that the pool needs is owned by something else, and left alone',
} as const;
/** The reason of a condition. */
export type ConditionReason = keyof typeof CONDITION_REASONS;
