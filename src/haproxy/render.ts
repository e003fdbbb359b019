import { createHash } from 'node:crypto';
import { BACKEND, type CheckModel, FRONTEND, GREETING_BYTES, type Structure, type WantedServer } from './model.ts';
import { bindIp, endpoint, integer, milliseconds, serverName, socketPath, unixName, word } from './token.ts';

const ALGORITHMS = { leastconn: 'leastconn', roundrobin: 'roundrobin', source: 'source', random: 'random(2)' } as const;
const DESCRIPTION = 'cccam-operator';
const KEEPALIVE = { idleMs: 60_000, intervalMs: 15_000, count: 4 } as const;
/** How long one side may stay half-closed; without it a client that only shut down its writing side holds a slot for the idle time. */
const HALF_CLOSED_MS = 30_000;
/** Clients that wait for a full server are told no after this, and come back to another: a remembered one is forgotten meanwhile. */
const QUEUE_MS = 2_000;
const TABLE_SIZE = 102_400;
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
  return createHash('sha256').update(sections(structure, '').join('\n')).digest('hex').slice(0, 16);
}

/** What `show info` calls the description says which structure runs and where it listens; null when the configuration is not ours. */
export function readDescription(description: string): { readonly structureHash: string; readonly bind: string } | null {
  const match = new RegExp(`^${DESCRIPTION} ([0-9a-f]{16}) (\\S+)$`).exec(description);
  return match?.[1] === undefined || match[2] === undefined ? null : { structureHash: match[1], bind: match[2] };
}

/** Where clients connect, as it stands in the configuration: `*:12000`. @throws CccamError CCP_CONFIG_UNSAFE */
export function bindText(bind: Structure['bind']): string {
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
    `    description "${DESCRIPTION} ${hash} ${bindText(structure.bind)}"`,
    ...(user === null ? [] : [`    user ${unixName(user.user)}`, `    group ${unixName(user.group)}`]),
    `    maxconn ${integer('maxConnections', structure.maxConnections, 1, 1_000_000)}`,
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

function frontendSection(structure: Structure): string[] {
  const { connections, newPer10s } = structure.perClient;
  const limited = connections !== null || newPer10s !== null;
  return [
    `frontend ${FRONTEND}`,
    `    bind ${bindText(structure.bind)}`,
    `    maxconn ${integer('maxConnections', structure.maxConnections, 1, 1_000_000)}`,
    ...(limited
      ? [
          `    stick-table type ipv6 size ${TABLE_SIZE} expire 10m store conn_cur,conn_rate(10s)`,
          '    tcp-request connection track-sc0 src',
        ]
      : []),
    ...(connections === null
      ? []
      : [`    tcp-request connection reject if { sc0_conn_cur gt ${integer('connections', connections, 1, 100_000)} }`]),
    ...(newPer10s === null
      ? []
      : [`    tcp-request connection reject if { sc0_conn_rate gt ${integer('newPer10s', newPer10s, 1, 100_000)} }`]),
    `    default_backend ${BACKEND}`,
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
          `    stick-table type ipv6 size ${TABLE_SIZE} expire ${milliseconds('ttl', structure.stickinessMs)} peers itself`,
          '    stick on src',
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
