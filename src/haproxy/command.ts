import { assertNever } from '../runtime/errors.ts';
import { BACKEND, type WantedServer } from './model.ts';
import { serverOptions } from './render.ts';
import { integer, serverName } from './token.ts';

/** One command of the runtime API, as data. */
export type Command =
  | { readonly kind: 'add'; readonly server: WantedServer }
  | { readonly kind: 'checks'; readonly name: string; readonly on: boolean }
  | { readonly kind: 'state'; readonly name: string; readonly state: 'ready' | 'drain' | 'maint' }
  | { readonly kind: 'weight'; readonly name: string; readonly weight: number }
  | { readonly kind: 'max-connections'; readonly name: string; readonly maxConnections: number }
  | { readonly kind: 'forget-clients'; readonly id: number }
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
      return `add server ${target(command.server.name)} ${serverOptions(command.server)}`;
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

function target(name: string): string {
  return `${BACKEND}/${serverName(name)}`;
}
