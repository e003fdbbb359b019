import { digest } from '../runtime/digest.ts';
import { ANY_ADDRESS, isAnyAddress } from '../runtime/server-address.ts';
import {
  BACKEND,
  type CheckModel,
  COUNTS,
  type Endpoint,
  FRONTEND,
  GREETING_BYTES,
  REFUSAL_ROOM,
  type Structure,
  stickyRefreshMs,
  type WantedServer,
} from './model.ts';
import { bindIp, endpoint, integer, milliseconds, network, serverName, socketPath, unixName, word } from './token.ts';

const ALGORITHMS = { leastconn: 'leastconn', roundrobin: 'roundrobin', source: 'source', random: 'random(2)' } as const;
const DESCRIPTION = 'cccam-operator';
/** Not a comma: `show info` puts a description with one into quotes. */
const BETWEEN_BINDS = '+';
/**
 * When a client that vanished is noticed: ten minutes after its last word. Sooner would end the sessions of clients whose network is away
 * for some minutes and comes back, which TCP outlives.
 */
const KEEPALIVE = { idleMs: 120_000, intervalMs: 60_000, count: 8 } as const;
/** How long one side may stay half-closed; without it a client that only shut down its writing side holds a slot for the idle time. */
const HALF_CLOSED_MS = 30_000;
/** How long a trusted load balancer may take to say who its client is; without it such a connection is held for the idle time. */
const HEADER_MS = 10_000;
/** Clients that wait for a full server are refused after this, and reconnect to another one: a remembered client is forgotten meanwhile. */
const QUEUE_MS = 2_000;
const TABLE_SIZE = 102_400;
/** A client: its address, or its /64 where that is IPv6: one subscriber has 2^64 addresses. */
const CLIENT = 'src,ipmask(32,64)';
/**
 * HAProxy's own checks are a safety net for the time without the agent, which judges servers more closely: rare, because some servers ban
 * who connects five times in five minutes. They close no session, and the greeting and its time limit are in the backend.
 */
const OWN_CHECKS = 'check inter 60000ms fastinter 2000ms fall 3 rise 2';

/** A server line of a file, with whether it may take sessions before the agent has spoken to it. */
export interface RenderedServer extends WantedServer {
  /** False renders `disabled`: a server enters rotation only after it was seen to greet, in a cold start too. */
  readonly inService: boolean;
}

/**
 * The whole `haproxy.cfg`.
 *
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar; the schema has refused it before
 */
export function renderConfig(structure: Structure, servers: readonly RenderedServer[]): string {
  const lines = servers.map((server) => `    ${serverLine(server)}`);
  return [...sections(structure, structureHash(structure)), ...lines, ''].join('\n');
}

/** Names the structure: two configurations with the same hash differ in server lines only, which the runtime API can change. 16 hexadecimal digits. */
export function structureHash(structure: Structure): string {
  return digest(sections(structure, '').join('\n'));
}

/** What `show info` calls the description says which structure runs and where it listens; null when the configuration is not ours. */
export function readDescription(description: string): { readonly structureHash: string; readonly binds: readonly string[] } | null {
  const match = new RegExp(`^${DESCRIPTION} ([0-9a-f]{16}) (\\S+)$`).exec(description);
  return match?.[1] === undefined || match[2] === undefined ? null : { structureHash: match[1], binds: match[2].split(BETWEEN_BINDS) };
}

/** Where clients connect, as it stands in the configuration: `*:12000`. @throws CccamError CCP_CONFIG_UNSAFE */
export function bindText(bind: Endpoint): string {
  return `${bindIp(bind.address)}:${integer('port', bind.port, 1, 65_535)}`;
}

/** Everything after `server ` or `add server backend/`: both must agree, because `add server` ignores `default-server`. */
export function serverOptions(server: WantedServer): string {
  return [
    endpoint(server.address, server.port),
    `id ${integer('id', server.id, 1, 1_000_000)}`,
    `weight ${integer('weight', server.weight, 0, 256)}`,
    `maxconn ${integer('maxconn', server.maxConnections, 1, 1_000_000)}`,
    ...(server.passive ? [] : [OWN_CHECKS]),
    ...(server.backup ? ['backup'] : []),
  ].join(' ');
}

function serverLine(server: RenderedServer): string {
  return `server ${serverName(server.name)} ${serverOptions(server)}${server.inService ? '' : ' disabled'}`;
}

function sections(structure: Structure, hash: string): string[] {
  return [
    ...globalSection(structure, hash),
    ...defaultsSection(structure),
    ...peersSection(structure),
    ...countsSection(),
    ...frontendSection(structure),
    ...backendSection(structure),
  ];
}

function globalSection(structure: Structure, hash: string): string[] {
  const { user } = structure;
  const owner = user === null ? '' : ` user ${unixName(user.user)} group ${unixName(user.group)}`;
  return [
    '# Written by cccam-operator. Changes made here are overwritten.',
    'global',
    `    description "${DESCRIPTION} ${hash} ${[structure.bind, ...structure.alsoBind].map(bindText).join(BETWEEN_BINDS)}"`,
    ...(user === null ? [] : [`    user ${unixName(user.user)}`, `    group ${unixName(user.group)}`]),
    `    maxconn ${limitText(structure)}`,
    '    localpeer proxy',
    `    stats socket ${socketPath(structure.sockets.runtime)} mode 600 level admin expose-fd listeners${owner}`,
    '    stats timeout 30s',
  ];
}

function defaultsSection(structure: Structure): string[] {
  const idle = milliseconds('idle', structure.idleMs);
  return [
    'defaults',
    '    mode tcp',
    `    timeout connect ${milliseconds('connect', structure.connectMs)}`,
    `    timeout client ${idle}`,
    `    timeout server ${idle}`,
    `    timeout tunnel ${idle}`,
    `    timeout client-fin ${milliseconds('client-fin', HALF_CLOSED_MS)}`,
    `    timeout server-fin ${milliseconds('server-fin', HALF_CLOSED_MS)}`,
    `    timeout queue ${milliseconds('queue', QUEUE_MS)}`,
    `    timeout check ${milliseconds('timeout', structure.check.timeoutMs)}`,
    '    retries 3',
    // Without it leastconn keeps choosing a server that has just died, because a dead server has the fewest sessions.
    '    option redispatch 1',
    '    option clitcpka',
    `    clitcpka-idle ${milliseconds('keepalive', KEEPALIVE.idleMs)}`,
    `    clitcpka-intvl ${milliseconds('keepalive', KEEPALIVE.intervalMs)}`,
    `    clitcpka-cnt ${KEEPALIVE.count}`,
    '    option srvtcpka',
  ];
}

/** A peers section that names only this process is how a stick table gets over a reload. */
function peersSection(structure: Structure): string[] {
  const owner = structure.user === null ? '' : ` user ${unixName(structure.user.user)} group ${unixName(structure.user.group)}`;
  return ['peers itself', `    bind ${socketPath(structure.sockets.peers)} mode 600${owner}`, '    server proxy'];
}

/** Tables belong to a section; this one has one entry, with the key 1. */
function countsSection(): string[] {
  return [`backend ${COUNTS}`, '    stick-table type integer size 10 store gpc0,gpc1,gpt0'];
}

/** Connections that the process accepts; those above the limit are refused by a rule. */
function limitText({ maxConnections }: Structure): string {
  return integer('maxConnections', Number(integer('maxConnections', maxConnections, 1, 1_000_000)) + REFUSAL_ROOM, 1, 1_001_000);
}

function frontendSection(structure: Structure): string[] {
  const trusted = structure.proxyProtocolFrom.map(network);
  return [
    `frontend ${FRONTEND}`,
    ...[structure.bind, ...structure.alsoBind].map(bindLine),
    `    maxconn ${limitText(structure)}`,
    ...(trusted.length === 0 ? [] : headerRules(trusted)),
    ...fullRules(structure),
    ...clientRules(structure),
    `    default_backend ${BACKEND}`,
  ];
}

/** HAProxy 2.6 has no limit for the time that a header takes; there the network of the load balancers is trusted to send one. */
function headerRules(trusted: readonly string[]): string[] {
  return [
    `    tcp-request connection expect-proxy layer4 if { src ${trusted.join(' ')} }`,
    '.if version_atleast(3.0)',
    `    timeout client-hs ${milliseconds('client-hs', HEADER_MS)}`,
    '.endif',
  ];
}

/** An address that the machine does not have yet, such as a virtual one, is listened on all the same: the kernel lets that pass (IP_FREEBIND). */
function bindLine(bind: Endpoint): string {
  if (bind.address === ANY_ADDRESS) return `    bind ${bindText(bind)} v4v6`; // whatever net.ipv6.bindv6only says
  return `    bind ${bindText(bind)}${isAnyAddress(bind.address) ? '' : ' transparent'}`;
}

/**
 * Connections above the limit are refused at once: at its own limit HAProxy stops accepting, and clients hang in the queue of the
 * kernel. Sessions that earlier workers hold are written into the entry by the agent. Refusals are counted in there, too.
 */
function fullRules({ maxConnections }: Structure): string[] {
  return [
    `    tcp-request session track-sc1 int(1) table ${COUNTS}`,
    `    tcp-request session set-var(sess.held) int(1),table_gpt0(${COUNTS})`,
    `    acl proxy_full fe_conn,add(sess.held) gt ${integer('maxConnections', maxConnections, 1, 1_000_000)}`,
    '    tcp-request session sc-inc-gpc1(1) if proxy_full',
    '    tcp-request session reject if proxy_full',
  ];
}

/**
 * Limits of one client's address. Looked up before the client is tracked: a try that is refused must not count as one more, or clients
 * behind one address that all come back would keep each other out for ever.
 */
function clientRules({ perClient: { connections, newPer10s } }: Structure): string[] {
  if (connections === null && newPer10s === null) return [];
  const conditions = [
    ...(connections === null
      ? []
      : [
          `    tcp-request session set-var(sess.client_held) ${CLIENT},table_gpt0(${FRONTEND})`,
          `    acl client_refused ${CLIENT},table_conn_cur(${FRONTEND}),add(sess.client_held) ge ${integer('connections', connections, 1, 100_000)}`,
        ]),
    ...(newPer10s === null
      ? []
      : [`    acl client_refused ${CLIENT},table_conn_rate(${FRONTEND}) ge ${integer('newPer10s', newPer10s, 1, 100_000)}`]),
  ];
  return [
    `    stick-table type ipv6 size ${TABLE_SIZE} expire 10m store conn_cur,conn_rate(10s),gpt0`,
    ...conditions,
    '    tcp-request session sc-inc-gpc0(1) if client_refused',
    '    tcp-request session reject if client_refused',
    `    tcp-request session track-sc0 ${CLIENT}`,
  ];
}

function backendSection(structure: Structure): string[] {
  return [
    `backend ${BACKEND}`,
    `    balance ${word('algorithm', ALGORITHMS, structure.algorithm)}`,
    // The map-based hash refuses weights and new servers at run time; the consistent one takes both.
    ...(structure.algorithm === 'source' ? ['    hash-type consistent'] : []),
    '    option allbackups',
    ...(structure.stickinessMs === null
      ? []
      : [
          `    stick-table type ipv6 size ${TABLE_SIZE} expire ${milliseconds('ttl', structure.stickinessMs + stickyRefreshMs(structure.stickinessMs))} peers itself`,
          `    stick on ${CLIENT}`,
        ]),
    '    option tcp-check',
    '    tcp-check connect',
    ...(structure.check.probe === 'greeting' ? greetingRules(structure.check) : []),
  ];
}

/**
 * The check, and the guard under live traffic: a client that gets no greeting in time is cut and comes back to another server, and
 * the server's `dresp` counter tells the agent whom to look at. HAProxy prints the bytes in upper case.
 */
function greetingRules(check: CheckModel): string[] {
  return [
    `    tcp-check expect min-recv ${GREETING_BYTES} rbinary ^[0-9A-F]{${2 * GREETING_BYTES}}`,
    `    tcp-response inspect-delay ${milliseconds('timeout', check.timeoutMs)}`,
    `    tcp-response content accept if { res.len ge ${GREETING_BYTES} }`,
    '    tcp-response content reject if WAIT_END',
  ];
}
