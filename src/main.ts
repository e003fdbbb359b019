#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { CccamError } from './runtime/errors.ts';
import { listenAddress } from './runtime/listen-address.ts';
import { printable } from './runtime/printable.ts';
import { ANY_ADDRESS } from './runtime/server-address.ts';
import { keepSmall } from './runtime/small-process.ts';
import { VERSION } from './runtime/version.ts';

// Each subcommand is loaded only when it is called: an agent must not pay for what the operator needs.
const program = new Command('cccam-operator')
  .description('One address for several CCcam-protocol servers that never drops a viewer by accident.')
  .version(VERSION)
  .showHelpAfterError('Add --help to see what there is.')
  .allowExcessArguments(false);

program
  .command('run')
  .description('serve one pool on this machine, without Kubernetes')
  .requiredOption('-f, --file <path>', 'YAML or JSON file with one CccamPool; it is followed')
  .option('--state-dir <path>', 'folder for state and sockets (default: /var/lib/cccam-operator/<pool>, or under your home)')
  .addOption(new Option('--haproxy <path>', 'HAProxy 2.6 or newer').env('CCCAM_HAPROXY').default('haproxy'))
  .option('--bind <address>', 'address that clients connect to; by default every one, of IPv4 and IPv6', address, ANY_ADDRESS)
  .option('--http-port <port>', 'port on 127.0.0.1 for observations and metrics; 0 takes any', portOrZero, 9321)
  .option('--no-http', 'serve no observations and metrics')
  .option('--once', 'make it so, show the result and end; HAProxy goes on serving', false)
  .addOption(new Option('--output <kind>', 'how to report').choices(['auto', 'table', 'lines', 'json']).default('auto'))
  .option('--grace <duration>', "how long sessions may live on after SIGTERM (default: the pool's drain deadline)", milliseconds)
  .action(async (options) => {
    const { run } = await import('./standalone/run.ts');
    process.exitCode = await run({
      file: options.file,
      stateDir: options.stateDir ?? null,
      haproxy: options.haproxy,
      bind: await listenAddress(options.bind),
      httpPort: options.http === false ? null : options.httpPort,
      once: options.once,
      output: options.output,
      graceMs: options.grace ?? null,
    });
  });

program
  .command('operator')
  .description('look after every CccamPool of a cluster')
  .option('--kubeconfig [path]', 'work from outside of the cluster; without a path: $KUBECONFIG or ~/.kube/config')
  .option('--context <name>', 'context of the kubeconfig')
  .addOption(
    new Option('--namespaces <list>', 'only these, separated by commas (default: all)')
      .env('CCCAM_NAMESPACES')
      .argParser(names)
      .default([]),
  )
  .option('--lease-namespace <name>', 'namespace of the leader lease (default: its own)')
  .option('--lease-name <name>', 'name of the leader lease', 'cccam-operator')
  .option('--http <address>', 'address and port for health and metrics', endpoint, { host: ANY_ADDRESS, port: 8080 })
  .addOption(new Option('--image <image>', 'our own image, for the agents').env('CCCAM_IMAGE').default('cccam-operator:latest'))
  .addOption(
    new Option('--haproxy-image <image>', 'HAProxy image of pools that name none').env('CCCAM_HAPROXY_IMAGE').default('haproxy:3.0'),
  )
  .addOption(
    new Option('--agent-peers <list>', 'namespaces whose pods may ask the agents')
      .env('CCCAM_AGENT_PEERS')
      .argParser(names)
      .default(['cccam-system']),
  )
  .addOption(serviceAccount())
  .option('--calls-per-second <number>', 'calls to the API server in the long run', count, 200)
  .option('--counts-every <duration>', 'how often numbers in a status that only moved are written', milliseconds, 60_000)
  .option('--workers <number>', 'pools looked after at the same time', count, 8)
  .addOption(logLevel())
  .action(async (options) => {
    const { operate } = await import('./operator/operator.ts');
    process.exitCode = await operate({
      kubeconfig: options.kubeconfig === undefined ? null : options.kubeconfig === true ? '' : options.kubeconfig,
      context: options.context ?? null,
      namespaces: options.namespaces.length === 0 ? [''] : options.namespaces,
      leaseNamespace: options.leaseNamespace ?? null,
      leaseName: options.leaseName,
      http: options.http,
      settings: {
        agentImage: options.image,
        haproxyImage: options.haproxyImage,
        agentPeers: options.agentPeers,
        countsEveryMs: options.countsEvery,
      },
      serviceAccount: options.serviceAccount,
      callsPerSecond: options.callsPerSecond,
      workers: options.workers,
      logLevel: options.logLevel,
    });
  });

program
  .command('proxy-agent')
  .description('make the HAProxy of this pod what the ConfigMap of its pool asks for')
  .requiredOption('--config-map <name>', 'ConfigMap to follow')
  .requiredOption('--run-dir <path>', 'folder that is shared with HAProxy')
  .option('--bind <address>', 'address that clients connect to; by default every one, of IPv4 and IPv6', address, ANY_ADDRESS)
  .option('--http <address>', 'address and port for observations and metrics', endpoint, { host: ANY_ADDRESS, port: 9321 })
  .option('--mounted <folder>', 'mounted copy of the ConfigMap, for a start without an API server')
  .option('--haproxy <path>', 'HAProxy that checks each new structure before it counts')
  .addOption(drainKey())
  .addOption(serviceAccount())
  .addOption(logLevel())
  .action(async (options) => {
    keepSmall();
    const { proxyAgent } = await import('./proxy-agent/agent.ts');
    process.exitCode = await proxyAgent({
      configMap: options.configMap,
      runDir: options.runDir,
      bind: await listenAddress(options.bind),
      http: options.http,
      mounted: options.mounted ?? null,
      haproxy: options.haproxy ?? null,
      drainKey: options.drainKey,
      serviceAccount: options.serviceAccount,
      logLevel: options.logLevel,
    });
  });

program
  .command('backend-agent')
  .description('watch the CCcam server of this pod, and let the pod end when nobody is left on it')
  .requiredOption('--port <port>', 'CCcam port of the server', portOrZero)
  .option('--http <address>', 'address and port for the proxies, the kubelet and metrics', endpoint, { host: ANY_ADDRESS, port: 9322 })
  .addOption(drainKey())
  .option('--link-key <key>', 'what a proxy must ask for a link with; in pods of before it was the same')
  .addOption(logLevel())
  .action(async (options) => {
    keepSmall();
    const { backendAgent } = await import('./backend-agent/agent.ts');
    process.exitCode = await backendAgent({
      port: options.port,
      http: options.http,
      drainKey: options.drainKey,
      linkKey: options.linkKey ?? options.drainKey,
      logLevel: options.logLevel,
    });
  });

const simulate = program.command('simulate').description('CCcam-like servers and clients, for tests and demonstrations');

simulate
  .command('server')
  .description('greets with 16 bytes, closes silent clients after 3 s, keeps the others alive')
  .option('--host <address>', 'address to listen on', address, '127.0.0.1')
  .requiredOption('--port <port>', 'port to listen on', portOrZero)
  .option('--label <name>', 'what clients are told, at most 20 characters', 'server')
  .addOption(
    new Option('--mode <mode>', 'how it behaves').choices(['normal', 'hung', 'banning', 'closing', 'slow', 'leaking']).default('normal'),
  )
  .option('--limit <count>', 'sessions that it holds at most; without it as many as come', count)
  .addOption(new Option('--when-full <answer>', 'what becomes of one more').choices(['close', 'silent', 'greet']).default('close'))
  .option('--slow <duration>', 'how long a slow one takes to greet', milliseconds, 1_000)
  .action(async (options) => {
    const { simulateServer } = await import('./simulate/command.ts');
    process.exitCode = await simulateServer({
      host: options.host,
      port: options.port,
      label: options.label,
      mode: options.mode,
      slowMs: options.slow,
      limit: options.limit === undefined ? null : { sessions: options.limit, full: options.whenFull },
    });
  });

simulate
  .command('clients')
  .description('hold sessions and come back like real ones')
  .option('--host <address>', 'address of the proxy', address, '127.0.0.1')
  .option('--port <port>', 'port of the proxy', portOrZero, 12_000)
  .option('--count <number>', 'how many', count, 100)
  .option('--retry <duration>', 'wait before coming back', milliseconds, 3_000)
  .option('--doubling', 'double the wait after each failure, up to a minute', false)
  .option('--patience <duration>', 'how long to wait to be served before trying again (default: for ever)', milliseconds)
  .action(async (options) => {
    const { simulateClients } = await import('./simulate/command.ts');
    const retry = options.doubling
      ? ({ kind: 'doubling', firstMs: options.retry, capMs: 60_000 } as const)
      : ({ kind: 'fixed', delayMs: options.retry } as const);
    process.exitCode = await simulateClients({
      host: options.host,
      port: options.port,
      count: options.count,
      retry,
      patienceMs: options.patience ?? null,
    });
  });

function portOrZero(text: string): number {
  const value = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || value > 65_535) throw new InvalidArgumentError('expected a port, 0 to 65535');
  return value;
}

function serviceAccount(): Option {
  return new Option('--service-account <folder>', 'where token, ca.crt and namespace are').default(
    '/var/run/secrets/kubernetes.io/serviceaccount',
  );
}

function drainKey(): Option {
  return new Option('--drain-key <key>', 'what an end must be asked with').env('CCCAM_DRAIN_KEY').makeOptionMandatory();
}

function logLevel(): Option {
  return new Option('--log-level <level>', 'how much to log')
    .env('CCCAM_LOG_LEVEL')
    .choices(['debug', 'info', 'warn', 'error'])
    .default('info');
}

function names(text: string): string[] {
  const list = text.split(',').filter((name) => name !== '');
  if (list.some((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)))
    throw new InvalidArgumentError('expected names, separated by commas');
  return list;
}

function endpoint(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f.:]+\]|[0-9.]+):([0-9]{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535)
    throw new InvalidArgumentError('expected an address and a port, such as 0.0.0.0:8080 or [::]:8080');
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[2]) };
}

function count(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError('expected a whole number from 1 to 99999');
  return Number(text);
}

function milliseconds(text: string): number {
  const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('expected a duration such as 500ms, 10s or 5m');
  return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
}

function address(text: string): string {
  if (!/^[0-9a-f.:]{2,45}$/.test(text)) throw new InvalidArgumentError('expected an IPv4 or IPv6 address');
  return text;
}

try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CccamError)) throw thrown;
  process.stderr.write(`${thrown.code} ${thrown.message}\n${printable(thrown.remedy, 500)}\n`);
  process.exit(1); // whatever it has opened must not keep a program that does its work no more
}
// A call to a file system that does not answer, such as that of a network share, would keep the program for ever.
if (process.getActiveResourcesInfo().includes('FSReqPromise')) process.exit();
