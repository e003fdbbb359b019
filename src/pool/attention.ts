import type { ConditionReason, PoolSpec } from '../api/v1alpha1/index.ts';
import type { ProxySummary } from './proxy-summary.ts';
import type { Roster } from './roster.ts';

/** Something that the pool's owner should mind before it hurts. */
export interface Attention {
  readonly reason: Extract<
    ConditionReason,
    | 'LocalPortsLow'
    | 'OpenFilesLow'
    | 'AddressMissing'
    | 'LocalErrors'
    | 'LimitBelowCapacity'
    | 'NoSpareCapacity'
    | 'ClientsShareAddress'
    | 'ClientsRefused'
  >;
  readonly message: string;
}

const PORTS_LOW = 0.8;
/** Below so many sessions one address with many of them is a household, and no router. */
const SHARED_SESSIONS = 20;
const SHARED_PART = 0.5;
const MANY_REFUSED = 20;

/** What the pool's owner should mind, the most urgent first. */
export function attentions(spec: PoolSpec, roster: Roster, proxies: ProxySummary): Attention[] {
  return [
    ...localErrors(proxies),
    ...portsLow(proxies),
    ...filesLow(spec, proxies),
    ...clientsRefused(proxies),
    ...clientsShareAddress(spec, proxies),
    ...limitsBelowCapacity(roster, proxies),
    ...noSpareCapacity(roster, proxies),
  ];
}

function* localErrors({ localErrors: codes }: ProxySummary): Generator<Attention> {
  if (codes.length === 0) return;
  yield {
    reason: 'LocalErrors',
    message: `A proxy cannot open connections (${codes.join(', ')}): its machine is out of local ports, open files or routes. Servers are not judged by that.`,
  };
}

function* portsLow({ localPorts }: ProxySummary): Generator<Attention> {
  if (localPorts.of === 0 || localPorts.taken < PORTS_LOW * localPorts.of) return;
  yield {
    reason: 'LocalPortsLow',
    message: `${localPorts.taken} of ${localPorts.of} local ports to one server are in use. Widen net.ipv4.ip_local_port_range, or find the client that connects so often.`,
  };
}

function* filesLow({ proxy }: PoolSpec, { maxConnections }: ProxySummary): Generator<Attention> {
  if (maxConnections === 0 || maxConnections >= proxy.maxConnections) return;
  yield {
    reason: 'OpenFilesLow',
    message:
      `A proxy's limit of open files is enough for ${maxConnections} sessions, not for the ${proxy.maxConnections} of proxy.maxConnections; ` +
      'connections above that are refused. Raise the limit of the container runtime (LimitNOFILE), lower proxy.maxConnections, or take more proxies.',
  };
}

function* clientsRefused({ refusedLately: { client, full } }: ProxySummary): Generator<Attention> {
  if (client >= MANY_REFUSED) {
    const message = `${client} connections were refused in the last minute because of limits.perClient. Clients behind one address share its limits.`;
    yield { reason: 'ClientsRefused', message };
  }
  if (full >= MANY_REFUSED) {
    yield {
      reason: 'ClientsRefused',
      message: `${full} connections were refused in the last minute because proxy.maxConnections is reached.`,
    };
  }
}

function* clientsShareAddress({ balance, limits }: PoolSpec, { clients, sessions }: ProxySummary): Generator<Attention> {
  const matters = balance.stickiness.mode !== 'None' || balance.algorithm === 'SourceHash' || limits?.perClient !== undefined;
  if (!matters || clients.most < SHARED_SESSIONS || clients.most < SHARED_PART * sessions) return;
  const message =
    `${clients.most} of ${sessions} sessions come from one address, so one server may get them all, and limits count them as one client. ` +
    "Keep the clients' own addresses (externalTrafficPolicy Local, or proxy.proxyProtocol), or set balance.stickiness.mode to None.";
  yield { reason: 'ClientsShareAddress', message };
}

function* limitsBelowCapacity(roster: Roster, { servers }: ProxySummary): Generator<Attention> {
  for (const { maxConnections, name } of roster) {
    const learned = servers.get(name)?.learnedLimit ?? null;
    if (learned === null || learned >= maxConnections) continue;
    const message = `${name} takes at most ${learned} sessions; its capacity says ${maxConnections}. Correct capacity.maxConnections, or raise the server's own limit.`;
    yield { reason: 'LimitBelowCapacity', message };
  }
}

/** Whether the others could hold every session if the largest Active server died. A pool of one server has no others. */
function* noSpareCapacity(roster: Roster, { servers, sessions }: ProxySummary): Generator<Attention> {
  const limit = ({ maxConnections, name }: Roster[number]): number =>
    Math.min(maxConnections, servers.get(name)?.learnedLimit ?? maxConnections);
  const serving = roster.filter(({ drain, weight }) => drain.kind === 'active' && weight > 0);
  const actives = serving.filter(({ role }) => role === 'Active');
  const [largest] = [...actives].sort((a, b) => limit(b) - limit(a));
  if (largest === undefined || serving.length < 2) return;
  const others = actives.length > 1 ? actives.filter((entry) => entry !== largest) : serving.filter(({ role }) => role === 'Backup');
  const places = others.reduce((sum, entry) => sum + limit(entry), 0);
  if (sessions <= places) return;
  const message = `If ${largest.name} fails, the others can hold ${places} of ${sessions} sessions. Add a server, or raise capacity.maxConnections where servers can hold more.`;
  yield { reason: 'NoSpareCapacity', message };
}
