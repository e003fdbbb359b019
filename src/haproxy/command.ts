import { assertNever } from '../runtime/errors.ts';
import { BACKEND, COUNTS, FRONTEND, type WantedServer } from './model.ts';
import { serverOptions } from './render.ts';
import { clientKey, foundName, integer, serverIp, serverName } from './token.ts';

/** One command of the runtime API, as data. Those that speak of no server are about the worker as a whole. */
export type Command =
  | { readonly kind: 'add'; readonly server: WantedServer }
  | { readonly kind: 'checks'; readonly name: string; readonly on: boolean }
  | { readonly kind: 'state'; readonly name: string; readonly state: 'ready' | 'drain' | 'maint' }
  | { readonly kind: 'weight'; readonly name: string; readonly weight: number }
  | { readonly kind: 'max-connections'; readonly name: string; readonly maxConnections: number }
  | { readonly kind: 'check-own-address'; readonly name: string; readonly address: string; readonly port: number }
  | { readonly kind: 'forget-clients'; readonly id: number }
  | { readonly kind: 'remember-client'; readonly client: string; readonly id: number }
  | { readonly kind: 'client-held'; readonly client: string; readonly sessions: number }
  | { readonly kind: 'held'; readonly sessions: number }
  | { readonly kind: 'frontend'; readonly open: boolean }
  | { readonly kind: 'limits'; readonly frontend: number; readonly global: number }
  | { readonly kind: 'no-rate-limits' }
  | { readonly kind: 'health'; readonly name: string; readonly health: 'up' | 'down' }
  | { readonly kind: 'delete'; readonly name: string };

/**
 * The text of a command, one line without its end.
 *
 * @throws CccamError CCP_CONFIG_UNSAFE when a value is outside of its grammar: `;` and line ends separate commands on this socket
 */
export function commandText(command: Command): string {
  switch (command.kind) {
    case 'add':
      return `add server ${BACKEND}/${serverName(command.server.name)} ${serverOptions(command.server)}`;
    case 'checks':
      return `${command.on ? 'enable' : 'disable'} health ${target(command.name)}`;
    case 'state':
      return `set server ${target(command.name)} state ${command.state}`;
    case 'weight':
      return `set server ${target(command.name)} weight ${integer('weight', command.weight, 0, 256)}`;
    case 'max-connections':
      return `set maxconn server ${target(command.name)} ${integer('maxconn', command.maxConnections, 1, 1_000_000)}`;
    case 'forget-clients':
      return `clear table ${BACKEND} data.server_id eq ${integer('id', command.id, 1, 1_000_000)}`;
    case 'check-own-address':
      return `set server ${target(command.name)} check-addr ${serverIp(command.address)} port ${integer('port', command.port, 1, 65_535)}`;
    case 'remember-client':
      return `set table ${BACKEND} key ${clientKey(command.client)} data.server_id ${integer('id', command.id, 1, 1_000_000)}`;
    case 'client-held':
      return `set table ${FRONTEND} key ${clientKey(command.client)} data.gpt0 ${integer('sessions', command.sessions, 0, 10_000_000)}`;
    case 'held':
      return `set table ${COUNTS} key 1 data.gpt0 ${integer('sessions', command.sessions, 0, 10_000_000)}`;
    case 'frontend':
      return `${command.open ? 'enable' : 'disable'} frontend ${FRONTEND}`;
    case 'limits':
      return `set maxconn frontend ${FRONTEND} ${connections(command.frontend)}; set maxconn global ${connections(command.global)}`;
    case 'no-rate-limits':
      return ['connections', 'sessions', 'ssl-sessions'].map((what) => `set rate-limit ${what} global 0`).join('; ');
    case 'health':
      return `set server ${target(command.name)} health ${command.health}`;
    case 'delete':
      return `del server ${target(command.name)}`;
    default:
      return assertNever(command);
  }
}

/** Answers that mean success; everything else that is not empty is a refusal. */
const GOOD_ANSWERS = [/^$/, /^New server registered\.$/, /^Server deleted\.$/];

/** Whether HAProxy's answer to a command means that it was done. */
export function isGoodAnswer(answer: string): boolean {
  return GOOD_ANSWERS.some((pattern) => pattern.test(answer.trim()));
}

function connections(limit: number): string {
  return integer('maxconn', limit, 1, 1_001_000);
}

/** A server that HAProxy has, added by us or by hand. */
function target(name: string): string {
  return `${BACKEND}/${foundName(name)}`;
}
