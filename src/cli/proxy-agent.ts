import { Command } from 'commander';
import { listenAddress } from '../runtime/listen-address.ts';
import { nodeAddresses } from '../runtime/node-addresses.ts';
import { ANY_ADDRESS } from '../runtime/server-address.ts';
import { keepSmall } from '../runtime/small-process.ts';
import { address, type Endpoint, earlierOptions, http, logLevel, nodeAddress, serviceAccount } from './arguments.ts';

interface Flags {
  readonly configMap: string;
  readonly runDir: string;
  readonly bind: string;
  readonly http: Endpoint;
  readonly mounted?: string;
  readonly haproxy?: string;
  readonly nodeAddress: string;
  readonly serviceAccount: string;
  readonly logLevel: string;
}

/** `cccam-operator proxy-agent`. */
export function proxyAgentCommand(): Command {
  const command = new Command('proxy-agent')
    .description("make the HAProxy of this pod match its pool's ConfigMap")
    .requiredOption('--config-map <name>', 'ConfigMap to follow')
    .requiredOption('--run-dir <path>', 'folder shared with HAProxy')
    .option('--bind <address>', 'address that clients connect to', address, ANY_ADDRESS)
    .addOption(http('observations and metrics', 9321))
    .option('--mounted <folder>', 'mounted copy of the ConfigMap, for a start without an API server')
    .option('--haproxy <path>', 'HAProxy that checks each new structure before it is used')
    .addOption(nodeAddress())
    .addOption(serviceAccount())
    .addOption(logLevel())
    .action(async (flags: Flags) => {
      keepSmall();
      const { proxyAgent } = await import('../proxy-agent/agent.ts');
      process.exitCode = await proxyAgent({
        ...flags,
        bind: await listenAddress(flags.bind),
        node: await nodeAddresses(flags.nodeAddress),
        mounted: flags.mounted ?? null,
        haproxy: flags.haproxy ?? null,
      });
    });
  for (const option of earlierOptions()) command.addOption(option);
  return command;
}
