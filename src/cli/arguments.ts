import { isIP } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import { durationMs } from '../runtime/duration.ts';
import { hostPort } from '../runtime/host-port.ts';
import { ANY_ADDRESS, readNetwork } from '../runtime/server-address.ts';

/** An address and a port to listen on. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A port; 0 takes any. @throws InvalidArgumentError */
export function port(text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || value > 65_535) throw new InvalidArgumentError('expected a port, 0 to 65535');
  return value;
}

/** An IPv4 or IPv6 address. @throws InvalidArgumentError */
export function address(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('expected an IPv4 or IPv6 address');
  return text;
}

/** An address and a port, such as `[::]:8080`. @throws InvalidArgumentError */
function endpoint(text: string): Endpoint {
  const match = /^(\[[0-9a-f.:]+\]|[0-9.]+):([0-9]{1,5})$/.exec(text);
  const host = (match?.[1] ?? '').replace(/^\[|\]$/g, '');
  if (match === null || isIP(host) === 0 || Number(match[2]) > 65_535)
    throw new InvalidArgumentError('expected an address and a port, such as 0.0.0.0:8080 or [::]:8080');
  return { host, port: Number(match[2]) };
}

/** A whole number from 1 to 99999. @throws InvalidArgumentError */
export function count(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('expected a whole number from 1 to 99999');
  return Number(text);
}

/** A duration as in a pool, in milliseconds. @throws InvalidArgumentError */
export function duration(text: string): number {
  try {
    return durationMs(text);
  } catch {
    throw new InvalidArgumentError('expected a duration such as 500ms, 10s or 5m');
  }
}

/** Names of Kubernetes namespaces, separated by commas. @throws InvalidArgumentError */
export function names(text: string): string[] {
  const list = words(text);
  if (list.some((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    throw new InvalidArgumentError('expected names, separated by commas');
  return list;
}

/** Networks, separated by commas, in canonical spelling. @throws InvalidArgumentError */
export function networks(text: string): string[] {
  return words(text).map((word) => {
    const reading = readNetwork(word);
    if (reading.kind === 'refused') throw new InvalidArgumentError(reading.expected);
    return reading.canonical;
  });
}

/** Words, separated by commas. */
export function words(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

/** Types of Services, separated by commas. @throws InvalidArgumentError */
export function serviceTypes(text: string): string[] {
  const types = words(text);
  if (types.length === 0 || types.some((type) => !SERVICE_TYPES.includes(type)))
    throw new InvalidArgumentError(`expected one or more of ${SERVICE_TYPES.join(', ')}`);
  return types;
}

/** Every type that the Service of a pool can have. */
export const SERVICE_TYPES: readonly string[] = ['LoadBalancer', 'NodePort', 'ClusterIP'];

/** Where a process in a cluster serves HTTP. @param what is served @param defaultPort on every address */
export function http(what: string, defaultPort: number): Option {
  return new Option('--http <address>', `address and port for ${what}`)
    .argParser(endpoint)
    .default({ host: ANY_ADDRESS, port: defaultPort }, hostPort(ANY_ADDRESS, defaultPort));
}

/** Where the credentials of a pod are. */
export function serviceAccount(): Option {
  return new Option('--service-account <folder>', 'folder with token, ca.crt and namespace').default(
    '/var/run/secrets/kubernetes.io/serviceaccount',
  );
}

/** Where the kubelet of this pod is. */
export function nodeAddress(): Option {
  return new Option('--node-address <address>', 'address of the node, whose kubelet ends pods')
    .env('CCCAM_NODE_ADDRESS')
    .argParser(address)
    .default('127.0.0.1');
}

/** Options that running pods of an earlier version still give to the agent that is put into them; they have no meaning any more. */
export function earlierOptions(): Option[] {
  return ['--drain-key <key>', '--link-key <key>'].map((flags) => new Option(flags).hideHelp());
}

/** How much is logged. */
export function logLevel(): Option {
  return new Option('--log-level <level>', 'log level').env('CCCAM_LOG_LEVEL').choices(['debug', 'info', 'warn', 'error']).default('info');
}
