import { Command, Option } from 'commander';
import {
  count,
  duration,
  type Endpoint,
  http,
  logLevel,
  names,
  networks,
  SERVICE_TYPES,
  serviceAccount,
  serviceTypes,
  words,
} from './arguments.ts';

interface Flags {
  readonly kubeconfig?: string | true;
  readonly context?: string;
  readonly namespaces: readonly string[];
  readonly leaseNamespace?: string;
  readonly leaseName: string;
  readonly http: Endpoint;
  readonly image: string;
  readonly haproxyImage: string;
  readonly agentPeers: readonly string[];
  readonly allowOwnNamespace: boolean;
  readonly serviceTypes: readonly string[];
  readonly serviceAnnotations: readonly string[] | null;
  readonly refusedNetworks: readonly string[];
  readonly serviceAccount: string;
  readonly callsPerSecond: number;
  readonly countsEvery: number;
  readonly workers: number;
  readonly logLevel: string;
}

/** `cccam-operator operator`. */
export function operatorCommand(): Command {
  return new Command('operator')
    .description('manage every CccamPool of a cluster')
    .option('--kubeconfig [path]', 'work from outside the cluster; without a path: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addOption(
      new Option('--namespaces <list>', 'namespaces to manage, separated by commas (default: all)')
        .env('CCCAM_NAMESPACES')
        .argParser(names)
        .default([]),
    )
    .option('--lease-namespace <name>', 'namespace of the leader lease (default: its own)')
    .option('--lease-name <name>', 'name of the leader lease', 'cccam-operator')
    .addOption(http('health and metrics', 8080))
    .addOption(new Option('--image <image>', 'image of the agents').env('CCCAM_IMAGE').default('cccam-operator:latest'))
    .addOption(
      new Option('--haproxy-image <image>', 'HAProxy image of pools that name none').env('CCCAM_HAPROXY_IMAGE').default('haproxy:3.0'),
    )
    .addOption(
      new Option('--agent-peers <list>', 'namespaces whose pods may connect to the agents')
        .env('CCCAM_AGENT_PEERS')
        .argParser(names)
        .default(['cccam-system']),
    )
    .option('--allow-own-namespace', 'allow pools in the namespace of the operator, whose pods could use its rights', false)
    .addOption(
      new Option('--service-types <list>', 'types that the Services of pools may have')
        .argParser(serviceTypes)
        .default(SERVICE_TYPES, 'all'),
    )
    .addOption(
      new Option('--service-annotations <list>', 'what the annotations of these Services may begin with')
        .argParser(words)
        .default(null, 'anything'),
    )
    .addOption(
      new Option('--refused-networks <list>', 'networks that no external server may be in, such as those of Services and nodes')
        .argParser(networks)
        .default([], 'none'),
    )
    .addOption(serviceAccount())
    .option('--calls-per-second <number>', 'sustained calls per second to the API server', count, 200)
    .addOption(
      new Option('--counts-every <duration>', 'how often a status is written when only its counts have changed')
        .argParser(duration)
        .default(60_000, '1m'),
    )
    .option('--workers <number>', 'pools reconciled at the same time', count, 8)
    .addOption(logLevel())
    .action(operate);
}

async function operate(flags: Flags): Promise<void> {
  const { operate: run } = await import('../operator/operator.ts');
  const { agentPeers, callsPerSecond, context, countsEvery, haproxyImage, image, kubeconfig, leaseName, workers } = flags;
  process.exitCode = await run({
    access:
      kubeconfig === undefined
        ? { kind: 'in-cluster', serviceAccount: flags.serviceAccount }
        : { kind: 'kubeconfig', path: kubeconfig === true || kubeconfig === '' ? null : kubeconfig, context: context ?? null },
    namespaces: flags.namespaces,
    leaseNamespace: flags.leaseNamespace ?? null,
    leaseName,
    http: flags.http,
    settings: { agentImage: image, haproxyImage, agentPeers, countsEveryMs: countsEvery },
    policy: {
      allowOwnNamespace: flags.allowOwnNamespace,
      serviceTypes: flags.serviceTypes,
      serviceAnnotations: flags.serviceAnnotations,
      refusedNetworks: flags.refusedNetworks,
    },
    callsPerSecond,
    workers,
    logLevel: flags.logLevel,
  });
}
