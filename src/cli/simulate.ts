import { Command, InvalidArgumentError, Option } from 'commander';
import type { ServerLimit, ServerMode } from '../simulate/server.ts';
import { address, count, duration, port } from './arguments.ts';

interface ServerFlags {
  readonly host: string;
  readonly port: number;
  readonly label: string;
  readonly mode: ServerMode;
  readonly limit?: number;
  readonly whenFull: ServerLimit['full'];
  readonly slow: number;
}

interface ClientsFlags {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly retry: number;
  readonly doubling: boolean;
  readonly patience?: number;
}

/** `cccam-operator simulate`. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('CCcam-like servers and clients, for tests and demonstrations')
    .addCommand(serverCommand())
    .addCommand(clientsCommand());
}

function serverCommand(): Command {
  return new Command('server')
    .description('greets with 16 bytes, closes silent clients after 3 s, sends keepalives to the others')
    .option('--host <address>', 'address to listen on', address, '127.0.0.1')
    .requiredOption('--port <port>', 'port to listen on; 0 takes any', port)
    .option('--label <name>', 'name sent to clients; only its first 20 characters', label, 'server')
    .addOption(
      new Option('--mode <mode>', 'how it behaves').choices(['normal', 'hung', 'banning', 'closing', 'slow', 'leaking']).default('normal'),
    )
    .option('--limit <count>', 'most sessions that it holds (default: no limit)', count)
    .addOption(new Option('--when-full <answer>', 'what it does with one more').choices(['close', 'silent', 'greet']).default('close'))
    .addOption(new Option('--slow <duration>', 'how long a slow one takes to greet').argParser(duration).default(1_000, '1s'))
    .action(async ({ host, label, limit, mode, port, slow, whenFull }: ServerFlags) => {
      const { simulateServer } = await import('../simulate/command.ts');
      const serverLimit = limit === undefined ? null : { sessions: limit, full: whenFull };
      process.exitCode = await simulateServer({ host, port, label, mode, slowMs: slow, limit: serverLimit });
    });
}

function clientsCommand(): Command {
  return new Command('clients')
    .description('hold sessions, and reconnect like real ones')
    .option('--host <address>', 'address of the proxy', address, '127.0.0.1')
    .option('--port <port>', 'port of the proxy', port, 12_000)
    .option('--count <number>', 'how many', count, 100)
    .addOption(new Option('--retry <duration>', 'wait before reconnecting').argParser(duration).default(3_000, '3s'))
    .option('--doubling', 'double the wait after each failure, up to a minute', false)
    .option('--patience <duration>', 'how long to wait to be served before trying again (default: forever)', duration)
    .action(async ({ count, doubling, host, patience, port, retry }: ClientsFlags) => {
      const { simulateClients } = await import('../simulate/command.ts');
      process.exitCode = await simulateClients({
        host,
        port,
        count,
        retry: doubling ? { kind: 'doubling', firstMs: retry, capMs: 60_000 } : { kind: 'fixed', delayMs: retry },
        patienceMs: patience ?? null,
      });
    });
}

/** A name of printable characters, such as that of a pod. */
function label(text: string): string {
  if (!/^[\x21-\x7e]{1,253}$/.test(text)) throw new InvalidArgumentError('expected printable characters without spaces');
  return text;
}
