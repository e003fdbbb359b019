import { Command, Option } from 'commander';
import { listenAddress } from '../runtime/listen-address.ts';
import { ANY_ADDRESS } from '../runtime/server-address.ts';
import { address, duration, port } from './arguments.ts';

interface Flags {
  readonly file: string;
  readonly stateDir?: string;
  readonly haproxy: string;
  readonly bind: string;
  readonly http: boolean;
  readonly httpPort: number;
  readonly once: boolean;
  readonly output: 'auto' | 'table' | 'lines' | 'json';
  readonly grace?: number;
}

/** `cccam-operator run`. */
export function runCommand(): Command {
  return new Command('run')
    .description('serve one pool on this machine, without Kubernetes')
    .requiredOption('-f, --file <path>', 'YAML or JSON file with one CccamPool; it is followed')
    .option('--state-dir <path>', 'folder for state and sockets (default: /var/lib/cccam-operator/<pool>, or under your home)')
    .addOption(new Option('--haproxy <path>', 'HAProxy 2.6 or newer').env('CCCAM_HAPROXY').default('haproxy'))
    .option('--bind <address>', 'address that clients connect to', address, ANY_ADDRESS)
    .option('--http-port <port>', 'port on 127.0.0.1 for observations and metrics; 0 takes any', port, 9321)
    .option('--no-http', 'serve no observations and metrics')
    .option('--once', 'apply the file, print the result and exit; HAProxy keeps running', false)
    .addOption(new Option('--output <kind>', 'how to report').choices(['auto', 'table', 'lines', 'json']).default('auto'))
    .option('--grace <duration>', "how long sessions may continue after SIGTERM (default: the pool's drain deadline)", duration)
    .action(async ({ bind, file, grace, haproxy, http, httpPort, once, output, stateDir }: Flags) => {
      const { run } = await import('../standalone/run.ts');
      process.exitCode = await run({
        file,
        stateDir: stateDir ?? null,
        haproxy,
        bind: await listenAddress(bind),
        httpPort: http ? httpPort : null,
        once,
        output,
        graceMs: grace ?? null,
      });
    });
}
